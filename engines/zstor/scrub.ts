import { checkStripe } from "./check.ts";
import type { Engine } from "./engine.ts";
import { grownBy } from "./grown.ts";
import { SCRUB_AT_ONCE } from "./limits.ts";
import { type InTurn, Passes } from "./passes.ts";

/** What a scrub found in the shards. */
export interface ScrubbedStripes {
    readonly stripes: number;
    readonly badShards: number;
}

/** Reads every shard of every stripe within the interval; what it finds bad is repaired by the caretaker. */
export class Scrubber {
    private readonly engine: Engine;
    private readonly passes: Passes;
    checkedStripes = 0;
    foundBad = 0;

    constructor(engine: Engine, intervalMs: number) {
        this.engine = engine;
        const things = {
            count: () => engine.view.totals().stripes,
            look: (after: string, count: number, at: (key: string) => void) => this.look(after, count, at),
        };
        this.passes = new Passes(things, engine.surroundings.clock, intervalMs, SCRUB_AT_ONCE);
    }

    get lastPassMs(): number | undefined {
        return this.passes.lastPassMs;
    }

    round(): Promise<void> {
        return this.passes.round();
    }

    pass(inTurn: InTurn): Promise<ScrubbedStripes> {
        const counters = (): ScrubbedStripes => ({ stripes: this.checkedStripes, badShards: this.foundBad });
        return grownBy(counters, () => this.passes.pass(inTurn));
    }

    private async look(after: string, count: number, at: (key: string) => void): Promise<boolean> {
        const stripes = this.engine.view.stripesAfter(after, count);
        for (const { id, refs } of stripes) {
            at(id);
            // Garbage, or freed while others were checked.
            if (refs === 0 || this.engine.view.stripe(id) === undefined) continue;
            const { faults } = await checkStripe(this.engine, id);
            this.checkedStripes++;
            this.foundBad += faults.length;
        }
        return stripes.length < count;
    }
}
