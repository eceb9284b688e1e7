import { CARE_MS } from "./limits.ts";
import type { Clock } from "./surroundings.ts";

/** Has work done when nothing else that must not run beside it is. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

/** Things in the order of their keys. */
export interface Listed {
    count(): number;
    /** Looks at so many behind that key, tells of each before it looks, and answers whether those were the last ones. */
    look(after: string, count: number, at: (key: string) => void): Promise<boolean>;
}

/** Goes through all things within the interval, evenly, again and again; one that cannot be looked at is passed over. */
export class Passes {
    private readonly things: Listed;
    private readonly clock: Clock;
    private readonly intervalMs: number;
    private readonly atOnce: number;
    private after = "";
    /** Things that may be looked at now. */
    private credit = 0;
    /** Begin of the pass that runs, and end of the last whole one. */
    private beganMs: number;
    lastPassMs: number | undefined;
    private passes = 0;

    /** `intervalMs` 0: only when asked. */
    constructor(things: Listed, clock: Clock, intervalMs: number, atOnce: number) {
        this.things = things;
        this.clock = clock;
        this.intervalMs = intervalMs;
        this.atOnce = atOnce;
        this.beganMs = clock.nowMs();
    }

    /** A round's share. */
    async round(): Promise<void> {
        if (this.intervalMs === 0) return;
        this.credit = Math.min(this.atOnce, this.credit + (this.things.count() * CARE_MS) / this.intervalMs);
        const wait = this.after === "" && this.lastPassMs !== undefined && this.clock.nowMs() - this.beganMs < this.intervalMs;
        if (this.credit < 1 || wait) return;
        const count = Math.floor(this.credit);
        this.credit -= count;
        await this.look(count);
    }

    /** All of them now, a few in each turn. */
    async pass(inTurn: InTurn): Promise<void> {
        const { passes } = this;
        await inTurn(() => {
            this.after = "";
            return this.look(this.atOnce);
        });
        while (this.passes === passes) await inTurn(() => this.look(this.atOnce));
    }

    private async look(count: number): Promise<void> {
        if (this.after === "") this.beganMs = this.clock.nowMs();
        const isEnd = await this.things.look(this.after, count, (key) => {
            this.after = key;
        });
        if (!isEnd) return;
        this.after = "";
        this.passes++;
        this.lastPassMs = this.clock.nowMs();
    }
}
