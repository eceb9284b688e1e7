import type { InputBudget } from "./input-budget.ts";
import { INPUT_GRACE_MS, MIN_INPUT_BYTES_PER_SECOND } from "./limits.ts";
import type { Timers } from "./syncer.ts";

/** What one connection asked of the memory for large requests: nothing, waiting, or granted, for as long as the request may take to arrive. */
export class InputClaim {
    private readonly budget: InputBudget;
    private readonly timers: Timers;
    private readonly late: () => void;
    private claimed = 0;
    private takeBack: (() => void) | undefined;
    private cancelDeadline: (() => void) | undefined;

    /** `late`: memory set aside for a client that stopped sending would be missing for the others. */
    constructor(budget: InputBudget, timers: Timers, late: () => void) {
        this.budget = budget;
        this.timers = timers;
        this.late = late;
    }

    get isWaiting(): boolean {
        return this.takeBack !== undefined;
    }

    /** Asks for so many bytes, unless it has asked before. */
    ask(bytes: number, granted: () => void): void {
        if (bytes === 0 || this.claimed > 0 || this.takeBack) return;
        let isGranted = false;
        const takeBack = this.budget.claim(bytes, () => {
            isGranted = true;
            this.takeBack = undefined;
            this.claimed = bytes;
            this.cancelDeadline = this.timers.after(INPUT_GRACE_MS + (bytes / MIN_INPUT_BYTES_PER_SECOND) * 1000, this.late);
            granted();
        });
        if (!isGranted) this.takeBack = takeBack;
    }

    release(): void {
        this.takeBack?.();
        this.takeBack = undefined;
        this.cancelDeadline?.();
        this.cancelDeadline = undefined;
        if (this.claimed > 0) this.budget.release(this.claimed);
        this.claimed = 0;
    }
}
