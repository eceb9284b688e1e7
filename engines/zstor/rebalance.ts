import type { Engine } from "./engine.ts";
import { REBALANCE_AT_ONCE, REBALANCE_LOOKS } from "./limits.ts";
import { type Candidate, shardsLeft } from "./placement.ts";
import type { LayoutRecord, StripeRecord } from "./record.ts";
import { emptyOnes, policyFor, putShards } from "./repair.ts";
import { stripeOf } from "./sealed-chunks.ts";
import { shardLength } from "./stripe-reader.ts";

export interface RebalanceProgress {
    readonly isRunning: boolean;
    /** Stripes that were looked at, of all. */
    readonly checkedStripes: number;
    readonly movedShards: number;
}

/**
 * Moves shards from backends that hold more of this store for their weight to those that hold less, such as one that was added. One pass over all
 * stripes, asked for by a person, so many a round: repair and what users do come first. A pass that is cut by the end of the front end is asked for again.
 */
export class Rebalancer {
    private readonly engine: Engine;
    /** Bytes of shards on each backend, by its number. */
    private readonly held = new Map<number, number>();
    private after = "";
    isRunning = false;
    checkedStripes = 0;
    movedShards = 0;

    constructor(engine: Engine) {
        this.engine = engine;
    }

    get progress(): RebalanceProgress {
        const { isRunning, checkedStripes, movedShards } = this;
        return { isRunning, checkedStripes, movedShards };
    }

    begin(): void {
        this.held.clear();
        for (const { id } of this.engine.view.everyStripe()) {
            const { record, layout } = stripeOf(this.engine, id);
            for (const [index, backend] of layout.backends.entries()) this.add(backend, shardLength(record, index));
        }
        this.after = "";
        this.checkedStripes = 0;
        this.movedShards = 0;
        this.isRunning = true;
    }

    /** A round's share. */
    async round(): Promise<void> {
        if (!this.isRunning) return;
        const { engine } = this;
        const session = engine.journal.session;
        const stripes = engine.view.stripesAfter(this.after, REBALANCE_LOOKS);
        let moved = 0;
        for (const { id, refs } of stripes) {
            if (moved === REBALANCE_AT_ONCE) return;
            this.after = id;
            this.checkedStripes++;
            if (refs === 0 || engine.view.stripe(id) === undefined) continue;
            const { record, layout } = stripeOf(engine, id);
            const move = this.bestMove(record, layout);
            if (move === undefined) continue;
            moved++;
            if ((await putShards(engine, session, id, new Map([[move.index, move.to.id]]), "rebalance")) === 0) continue;
            this.movedShards++;
            this.add(move.from.id, -shardLength(record, move.index));
            this.add(move.to.id, shardLength(record, move.index));
        }
        if (stripes.length < REBALANCE_LOOKS) this.isRunning = false;
    }

    /** The move that evens out most; undefined when every one would make things worse, or the policy would not hold any more. */
    private bestMove(record: StripeRecord, layout: LayoutRecord): Move | undefined {
        const { pool } = this.engine;
        const present = layout.backends.map((backend) => pool.candidate(backend));
        const disks = new Set(present.map((candidate) => candidate?.disk));
        let best: Move | undefined;
        for (const [index, from] of present.entries()) {
            if (from === undefined || !pool.isUp(from.id)) continue;
            const bytes = shardLength(record, index);
            for (const to of pool.candidates()) {
                if (to.freeBytes < bytes || (to.disk !== from.disk && disks.has(to.disk)) || to.id === from.id) continue;
                const gain = this.share(from, -bytes) - this.share(to, bytes);
                if (gain < 0 || (best && gain <= best.gain) || !this.isAsSafe(layout, present, index, to)) continue;
                best = { index, from, to, gain };
            }
        }
        return best;
    }

    private isAsSafe(layout: LayoutRecord, present: readonly (Candidate | undefined)[], index: number, to: Candidate): boolean {
        const policy = policyFor(this.engine, layout);
        const implicit = emptyOnes(layout);
        return shardsLeft(policy, present.with(index, to), implicit) >= Math.min(layout.dataShards, shardsLeft(policy, present, implicit));
    }

    /** What a backend would hold for its weight. */
    private share({ id, weight }: Candidate, more: number): number {
        return ((this.held.get(id) ?? 0) + more) / weight;
    }

    private add(backend: number, bytes: number): void {
        this.held.set(backend, (this.held.get(backend) ?? 0) + bytes);
    }
}

interface Move {
    readonly index: number;
    readonly from: Candidate;
    readonly to: Candidate;
    readonly gain: number;
}
