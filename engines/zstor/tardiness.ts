import { SLOW_FOR_MS, WRITES_OWED } from "./limits.ts";
import type { Clock } from "./surroundings.ts";

/** Whether a backend keeps up with what is written to it beside others. One that does not is not ill: it is only not waited for. */
export class Tardiness {
    private readonly clock: Clock;
    private lateMs = Number.NEGATIVE_INFINITY;
    private owed = 0;

    constructor(clock: Clock) {
        this.clock = clock;
    }

    /** The others were done with their part long ago. */
    late(): void {
        this.lateMs = this.clock.steadyMs();
    }

    /** Nobody waits for a write any more; gives what is to be called when it ends. */
    owe(): () => void {
        this.owed++;
        return () => {
            this.owed--;
        };
    }

    /** Lately: it is given what nobody else can take. */
    get isTardy(): boolean {
        return this.clock.steadyMs() - this.lateMs < SLOW_FOR_MS;
    }

    /** It is given nothing before it answers: what it owes is held in memory. */
    get isOverdue(): boolean {
        return this.owed >= WRITES_OWED;
    }
}
