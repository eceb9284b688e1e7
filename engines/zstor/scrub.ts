import { checkStripe } from "./check.ts";
import type { Engine } from "./engine.ts";
import { CARE_MS, SCRUB_AT_ONCE } from "./limits.ts";

/** Has work done when nothing else that must not run beside it is. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

export interface ScrubResult {
    readonly stripes: number;
    readonly badShards: number;
}

/** Reads every shard of every stripe within the interval, evenly, in the order of their ids; what it finds bad is repaired by the caretaker. */
export class Scrubber {
    private readonly engine: Engine;
    private readonly intervalMs: number;
    private after = "";
    /** Stripes that may be checked now. */
    private credit = 0;
    /** Begin of the pass that runs, and end of the last whole one. */
    private beganMs: number;
    lastPassMs: number | undefined;
    private passes = 0;
    checkedStripes = 0;
    foundBad = 0;

    constructor(engine: Engine, intervalMs: number) {
        this.engine = engine;
        this.intervalMs = intervalMs;
        this.beganMs = engine.surroundings.clock.nowMs();
    }

    /** A round's share. */
    async round(): Promise<void> {
        if (this.intervalMs === 0) return;
        const { stripes } = this.engine.view.totals();
        this.credit = Math.min(SCRUB_AT_ONCE, this.credit + (stripes * CARE_MS) / this.intervalMs);
        const wait =
            this.after === "" && this.lastPassMs !== undefined && this.engine.surroundings.clock.nowMs() - this.beganMs < this.intervalMs;
        if (this.credit < 1 || wait) return;
        const count = Math.floor(this.credit);
        this.credit -= count;
        await this.check(count);
    }

    /** All of them now, a few in each turn. */
    async pass(inTurn: InTurn): Promise<ScrubResult> {
        const before = { stripes: this.checkedStripes, bad: this.foundBad };
        const { passes } = this;
        await inTurn(() => {
            this.after = "";
            return this.check(SCRUB_AT_ONCE);
        });
        while (this.passes === passes) await inTurn(() => this.check(SCRUB_AT_ONCE));
        return { stripes: this.checkedStripes - before.stripes, badShards: this.foundBad - before.bad };
    }

    private async check(count: number): Promise<void> {
        if (this.after === "") this.beganMs = this.engine.surroundings.clock.nowMs();
        const stripes = this.engine.view.stripesAfter(this.after, count);
        for (const { id, refs } of stripes) {
            this.after = id;
            // Garbage, or freed while others were checked.
            if (refs === 0 || this.engine.view.stripe(id) === undefined) continue;
            const { faults } = await checkStripe(this.engine, id);
            this.checkedStripes++;
            this.foundBad += faults.length;
        }
        if (stripes.length === count) return;
        this.after = "";
        this.passes++;
        this.lastPassMs = this.engine.surroundings.clock.nowMs();
    }
}
