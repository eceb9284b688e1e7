import { BackendError } from "./backend.ts";
import type { Engine } from "./engine.ts";
import { forgetDrafts, forgetOld, freeGarbage } from "./freeing.ts";
import { CARE_MS, REPAIR_AT_ONCE, REPAIR_LONGEST_PAUSE_MS, REPAIR_PAUSE_MS } from "./limits.ts";
import { StoreError } from "./object-api.ts";
import type { StripeId } from "./record.ts";
import { deficientLayouts, repairStripe } from "./repair.ts";
import type { Replicas } from "./replicas.ts";
import { jittered } from "./surroundings.ts";
import { tidyReplica } from "./tidying.ts";

/**
 * Does what the metadata say is owed: repairs, frees, drops left-overs, brings metadata replicas up to date. Nothing of it is remembered
 * but in the metadata, so nothing is lost with the front end.
 */
export class Caretaker {
    private readonly engine: Engine;
    private readonly replicas: Replicas;
    readonly deadAfterMs: number;
    private readonly pauses = new Map<StripeId, { readonly untilMs: number; readonly ms: number }>();
    private cancel: (() => void) | undefined;
    private work: Promise<void> = Promise.resolve();
    private stopped = false;
    /** Base of the snapshot for which the replicas were last tidied. */
    private tidiedFor = -1;
    repairedShards = 0;

    constructor(engine: Engine, replicas: Replicas, deadAfterMs: number) {
        this.engine = engine;
        this.replicas = replicas;
        this.deadAfterMs = deadAfterMs;
    }

    start(): void {
        if (this.stopped) return;
        this.cancel = this.engine.surroundings.clock.after(CARE_MS, () => {
            this.work = this.round().then(() => this.start());
        });
    }

    async stop(): Promise<void> {
        this.stopped = true;
        this.cancel?.();
        await this.work;
    }

    /** Everything once. A part that cannot be done now does not keep the others. */
    async round(): Promise<void> {
        if (this.engine.journal.failure) return;
        await this.attempt("repair", () => this.repair());
        await this.attempt("drop drafts", () => forgetDrafts(this.engine));
        await this.attempt("drop old generations", () => forgetOld(this.engine));
        await this.attempt("free stripes", () => freeGarbage(this.engine));
        await this.attempt("bring metadata replicas up to date", () => this.tidy());
    }

    private async attempt(what: string, work: () => Promise<unknown>): Promise<void> {
        if (this.stopped) return;
        try {
            await work();
        } catch (error) {
            if (!(error instanceof StoreError || error instanceof BackendError)) throw error;
            this.engine.surroundings.log(`could not ${what}: ${error.message}`);
        }
    }

    private async repair(): Promise<void> {
        for (const id of [...this.engine.badShards.keys()]) await this.repairOne(id);
        for (const layout of deficientLayouts(this.engine, this.deadAfterMs)) {
            const stripes = this.engine.view.stripesIn(layout.id, REPAIR_AT_ONCE + this.pauses.size);
            for (const id of stripes) {
                if (this.stopped) return;
                await this.repairOne(id);
            }
        }
    }

    /** One that fails waits by itself, longer each time. */
    private async repairOne(id: StripeId): Promise<void> {
        const { clock } = this.engine.surroundings;
        const paused = this.pauses.get(id);
        if (paused && paused.untilMs > clock.nowMs()) return;
        if (this.engine.view.stripe(id) === undefined) {
            this.engine.badShards.delete(id);
            this.pauses.delete(id);
            return;
        }
        try {
            this.repairedShards += await repairStripe(this.engine, id, this.deadAfterMs);
            this.pauses.delete(id);
        } catch (error) {
            if (!(error instanceof StoreError)) throw error;
            const ms = Math.min(REPAIR_LONGEST_PAUSE_MS, (paused?.ms ?? REPAIR_PAUSE_MS / 2) * 2);
            this.pauses.set(id, { untilMs: clock.nowMs() + jittered(this.engine.surroundings, ms), ms });
            if (error.failure === "superseded" || error.failure === "no-quorum") throw error;
        }
    }

    private async tidy(): Promise<void> {
        const { live } = this.engine.journal;
        if (live === undefined) return;
        const base = live.batches[0]?.sequence ?? 0;
        const due = base === this.tidiedFor ? [...this.replicas.behind] : this.replicas.all;
        let isDone = true;
        for (const index of due) {
            try {
                await tidyReplica(this.replicas, index, live, this.engine.view.config);
            } catch (error) {
                if (!(error instanceof BackendError)) throw error;
                this.replicas.behind.add(index);
                isDone = false;
            }
        }
        if (isDone) this.tidiedFor = base;
    }
}
