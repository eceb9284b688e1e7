import { setImmediate } from "node:timers/promises";

const SLICE_MS = 1;
const STEPS_BETWEEN_CLOCK_READS = 16;

/** Cuts long work on a running server into slices, between which the event loop has its turn. */
export class Slices {
    private readonly check: () => void;
    private startedMs = performance.now();
    private steps = 0;

    /** `check` is called after each pause and throws when the work is to end. */
    constructor(check: () => void = () => undefined) {
        this.check = check;
    }

    /** To be awaited after each step. */
    next(): Promise<void> | undefined {
        this.steps++;
        if (this.steps % STEPS_BETWEEN_CLOCK_READS !== 0 || performance.now() - this.startedMs < SLICE_MS) return undefined;
        return this.pause();
    }

    private async pause(): Promise<void> {
        await setImmediate();
        this.startedMs = performance.now();
        this.check();
    }
}
