import { OUTPUT_CHECK_MS } from "./limits.ts";
import type { Timers } from "./syncer.ts";

/** A connection with answers that its client has not taken. */
export interface AnswerHolder {
    /** There is room again. */
    goOn(): void;
    /** Whether its client had answers to take for long, and took none. */
    isStuck(nowMs: number): boolean;
    destroy(): void;
}

/**
 * Memory for answers that were not taken yet, shared by all connections. Once it is spent nobody gets more until some is taken:
 * who waits goes on in the order of waiting. Clients that take nothing are parted with as long as it is spent.
 */
export class OutputBudget {
    private readonly timers: Timers;
    private free: number;
    private readonly holders = new Map<AnswerHolder, number>();
    private readonly waiting = new Set<AnswerHolder>();
    private isWaking = false;
    private cancelCheck: (() => void) | undefined;

    constructor(bytes: number, timers: Timers) {
        this.free = bytes;
        this.timers = timers;
    }

    get isSpent(): boolean {
        return this.free <= 0;
    }

    /** Counts what a connection holds now. It may be more than was free: an answer is only measured when it is there. */
    hold(holder: AnswerHolder, bytes: number): void {
        const before = this.holders.get(holder) ?? 0;
        if (bytes > 0) this.holders.set(holder, bytes);
        else this.holders.delete(holder);
        this.free += before - bytes;
        if (bytes < before) this.wake();
    }

    /** `goOn` is called when there is room. */
    wait(holder: AnswerHolder): void {
        this.waiting.add(holder);
        this.cancelCheck ??= this.timers.after(OUTPUT_CHECK_MS, () => this.check());
    }

    stopWaiting(holder: AnswerHolder): void {
        this.waiting.delete(holder);
        if (this.waiting.size === 0) this.stopChecking();
    }

    leave(holder: AnswerHolder): void {
        this.stopWaiting(holder);
        this.hold(holder, 0);
    }

    private wake(): void {
        if (this.isWaking) return;
        this.isWaking = true;
        for (const holder of this.waiting) {
            if (this.isSpent) break;
            this.waiting.delete(holder);
            holder.goOn();
        }
        this.isWaking = false;
        if (this.waiting.size === 0) this.stopChecking();
    }

    private check(): void {
        this.cancelCheck = undefined;
        const nowMs = this.timers.nowMs();
        for (const holder of [...this.holders.keys()]) if (holder.isStuck(nowMs)) holder.destroy();
        if (this.waiting.size > 0) this.cancelCheck ??= this.timers.after(OUTPUT_CHECK_MS, () => this.check());
    }

    private stopChecking(): void {
        this.cancelCheck?.();
        this.cancelCheck = undefined;
    }
}
