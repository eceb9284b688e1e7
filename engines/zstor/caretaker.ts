import { BackendError } from "./backend.ts";
import { FIRST_CONFIGURATION } from "./bootstrap.ts";
import type { Engine } from "./engine.ts";
import type { Exchange } from "./exchange.ts";
import { forgetDrafts, forgetOld, freeGarbage } from "./freeing.ts";
import type { Live } from "./journal.ts";
import {
    CARE_MS,
    REPAIR_AT_ONCE,
    REPAIR_LANES,
    REPAIR_LONGEST_PAUSE_MS,
    REPAIR_PAUSE_MS,
    REPAIR_SHARE_MS,
    VERIFY_EVERY_MS,
} from "./limits.ts";
import { MetadataScrubber, type ScrubbedValues } from "./metadata-scrub.ts";
import { StoreError } from "./object-api.ts";
import { type RebalanceProgress, Rebalancer } from "./rebalance.ts";
import { MISSING, type StripeId } from "./record.ts";
import { Repacker, type RepackResult } from "./repack.ts";
import { deficientLayouts, repairStripe, WellStanding } from "./repair.ts";
import type { Replica } from "./replicas.ts";
import { rewrapSome } from "./rewrapping.ts";
import { type ScrubbedStripes, Scrubber } from "./scrub.ts";
import { jittered } from "./surroundings.ts";
import { Sweeper, type SweepResult } from "./sweep.ts";
import { fillReplica, type TidyingParts, tidyReplica } from "./tidying.ts";

export interface CareTimes {
    readonly deadAfterMs: number;
    readonly scrubMs: number;
    readonly sweepDelayMs: number;
    /** Stripes that are older may be packed anew. */
    readonly repackAfterMs: number;
}

/** Said by a person after a recovery: the metadata that were found are the newest. */
const CONFIRMED = "sweep confirmed";

/**
 * Does what the metadata say is owed: repairs, frees, drops left-overs, brings metadata replicas up to date. Nothing of it is remembered
 * but in the metadata, so nothing is lost with the front end.
 */
export class Caretaker {
    private readonly engine: Engine;
    private readonly metadata: TidyingParts;
    private readonly exchange: Exchange;
    readonly deadAfterMs: number;
    readonly scrubber: Scrubber;
    readonly metadataScrubber: MetadataScrubber;
    private readonly sweeper: Sweeper;
    readonly rebalancer: Rebalancer;
    readonly repacker: Repacker;
    private readonly wellStanding = new WellStanding();
    private readonly pauses = new Map<StripeId, { readonly untilMs: number; readonly ms: number }>();
    private cancel: (() => void) | undefined;
    private work: Promise<void> = Promise.resolve();
    private stopped = false;
    /** Base of the snapshot for which the replicas were last tidied. */
    private tidiedFor = -1;
    /** Metadata replicas that have missed writes and could not be brought up to date when it was tried last. */
    readonly lagging = new Set<Replica>();
    repairedShards = 0;
    /** More is owed and can be repaired than the last round came to. */
    private isBehind = false;
    /** Since when something has been owed at every round. */
    owedSinceMs: number | undefined;

    /** Stripes that could not be repaired and wait for the next try. */
    get pausedRepairs(): number {
        return this.pauses.size;
    }

    /** How old what is owed is: since when something is owed without a break, or since the oldest stripe was put that lacks shards, which also a front end that was started again knows. */
    get debtSinceMs(): number | undefined {
        const { view } = this.engine;
        const times = this.owedSinceMs === undefined ? [] : [this.owedSinceMs];
        for (const { id, backends } of view.allLayouts()) {
            const [oldest] = backends.includes(MISSING) ? view.stripesIn(id, 1) : [];
            const createdMs = oldest && view.stripe(oldest)?.createdMs;
            if (createdMs !== undefined) times.push(createdMs);
        }
        return times.length === 0 ? undefined : Math.min(...times);
    }

    private readonly sweepEveryMs: number;
    private sweptMs = 0;
    private verifiedMs = 0;

    constructor(
        engine: Engine,
        metadata: TidyingParts,
        exchange: Exchange,
        { deadAfterMs, scrubMs, sweepDelayMs, repackAfterMs }: CareTimes,
    ) {
        this.engine = engine;
        this.metadata = metadata;
        this.exchange = exchange;
        this.deadAfterMs = deadAfterMs;
        this.scrubber = new Scrubber(engine, scrubMs);
        this.metadataScrubber = new MetadataScrubber(metadata, engine.surroundings, scrubMs);
        this.sweeper = new Sweeper(engine, sweepDelayMs);
        this.rebalancer = new Rebalancer(engine);
        this.repacker = new Repacker(engine, repackAfterMs);
        this.sweepEveryMs = sweepDelayMs / 4;
    }

    start(): void {
        if (this.stopped) return;
        const ms = this.isBehind && this.isIdle ? 0 : CARE_MS;
        this.cancel = this.engine.surroundings.clock.after(ms, () => void this.round().then(() => this.start()));
    }

    async stop(): Promise<void> {
        this.stopped = true;
        this.cancel?.();
        await this.work;
    }

    /** Everything once. A part that cannot be done now does not keep the others. */
    round(): Promise<void> {
        return this.alone(() => this.everything());
    }

    /** Compares every shard and every value of the metadata with what was written, and repairs. */
    async scrub(): Promise<ScrubbedStripes & ScrubbedValues> {
        const shards = await this.scrubber.pass(this.inTurn);
        await this.alone(() => this.attempt("repair", () => this.repair()));
        return { ...shards, ...(await this.metadataScrubber.pass(this.inTurn)) };
    }

    /** Deletes orphans that are old enough; from now on that is done by itself. */
    sweep(): Promise<SweepResult> {
        this.confirmSweep();
        return this.alone(() => this.sweeper.sweep());
    }

    /** Begins to even out what backends hold, a share with every round. */
    rebalance(): Promise<RebalanceProgress> {
        return this.alone(async () => {
            this.rebalancer.begin();
            await this.rebalancer.round();
            return this.rebalancer.progress;
        });
    }

    /** Packs anew all that is worth it, and frees what is left behind. */
    async repack(): Promise<RepackResult> {
        const result = await this.repacker.pass(this.inTurn);
        await this.alone(() => this.attempt("free stripes", () => freeGarbage(this.engine)));
        return result;
    }

    /** For a store whose metadata are known to be the newest: it was just made, or a person says so. */
    confirmSweep(): void {
        this.engine.view.setNote(CONFIRMED, "yes");
    }

    get sweepsByItself(): boolean {
        return this.engine.view.note(CONFIRMED) !== undefined;
    }

    /** Looks through all metadata replicas with the next round. */
    tidyAgain(): void {
        this.tidiedFor = -1;
    }

    /** One after the other: a sweep must not see what a repair is just bringing back. */
    private alone<T>(work: () => Promise<T>): Promise<T> {
        const result = this.work.then(work);
        this.work = result.then(
            () => undefined,
            () => undefined,
        );
        return result;
    }

    /** What takes long goes a part at a time, so that repairs need not wait for its end. */
    private readonly inTurn = <T>(work: () => Promise<T>): Promise<T> =>
        this.alone(() => {
            if (this.stopped) throw new StoreError("stopped", "the store is closed");
            return work();
        });

    private async everything(): Promise<void> {
        if (this.engine.journal.failure || this.stopped) return;
        await this.attempt("verify the epoch", () => this.verify());
        await this.attempt("repair", () => this.repair());
        await this.attempt("drop drafts", () => forgetDrafts(this.engine));
        await this.attempt("drop old generations", () => forgetOld(this.engine));
        await this.attempt("free stripes", () => freeGarbage(this.engine));
        await this.attempt("bring metadata replicas up to date", () => this.tidy());
        await this.attempt("exchange metadata replicas", () => this.exchangeReplicas());
        await this.attempt("wrap keys anew", () => rewrapSome(this.engine));
        await this.attempt("scrub", () => this.scrubber.round());
        await this.attempt("scrub the metadata", () => this.metadataScrubber.round());
        await this.attempt("rebalance", () => this.rebalancer.round());
        await this.attempt("sweep", () => this.sweepNowAndThen());
        if (this.owedSinceMs === undefined) await this.attempt("pack stripes anew", () => this.repacker.round());
    }

    private async verify(): Promise<void> {
        const nowMs = this.engine.surroundings.clock.nowMs();
        if (nowMs - this.verifiedMs < VERIFY_EVERY_MS) return;
        this.verifiedMs = nowMs;
        await this.engine.journal.verify();
    }

    private async sweepNowAndThen(): Promise<void> {
        const nowMs = this.engine.surroundings.clock.nowMs();
        if (!this.sweepsByItself || nowMs - this.sweptMs < this.sweepEveryMs) return;
        this.sweptMs = nowMs;
        await this.sweeper.sweep();
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

    /** Nobody puts or gets. */
    private get isIdle(): boolean {
        return this.engine.drafts.size === 0 && this.engine.readers.size === 0;
    }

    /** A share; with nothing else to do as much as there is time for, since the next loss may come at any moment. */
    private async repair(): Promise<void> {
        const { clock } = this.engine.surroundings;
        const endMs = clock.steadyMs() + REPAIR_SHARE_MS;
        do {
            const before = this.repairedShards;
            await this.repairSome();
            this.isBehind = this.owedSinceMs !== undefined && this.repairedShards > before;
        } while (this.isBehind && this.isIdle && !this.stopped && clock.steadyMs() < endMs);
    }

    private async repairSome(): Promise<void> {
        for (const id of [...this.engine.badShards.keys()]) await this.repairOne(id);
        const owed = deficientLayouts(this.engine, this.deadAfterMs, this.wellStanding);
        this.owedSinceMs = owed.length === 0 ? undefined : (this.owedSinceMs ?? this.engine.surroundings.clock.nowMs());
        for (const layout of owed) await this.repairAll(this.engine.view.stripesIn(layout.id, REPAIR_AT_ONCE + this.pauses.size));
    }

    private async repairAll(stripes: StripeId[]): Promise<void> {
        const waiting = stripes[Symbol.iterator]();
        const lane = async () => {
            for (const id of waiting) {
                if (this.stopped) return;
                await this.repairOne(id);
            }
        };
        // All of them have ended when one of them could not go on.
        const ends = await Promise.allSettled(Array.from({ length: this.isIdle ? REPAIR_LANES : 1 }, lane));
        for (const end of ends) if (end.status === "rejected") throw end.reason;
    }

    /** One that fails waits by itself, longer each time. */
    private async repairOne(id: StripeId): Promise<void> {
        const { clock } = this.engine.surroundings;
        const paused = this.pauses.get(id);
        if (paused && paused.untilMs > clock.nowMs()) return;
        // Freed, or about to be.
        if ((this.engine.view.stripe(id)?.refs ?? 0) === 0) {
            this.engine.badShards.delete(id);
            this.pauses.delete(id);
            return;
        }
        try {
            const written = await repairStripe(this.engine, id, this.deadAfterMs);
            this.repairedShards += written;
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
        const { replicas } = this.metadata;
        const base = live.batches[0]?.sequence ?? 0;
        const due = base === this.tidiedFor ? replicas.behind : replicas.members;
        for (const gone of this.lagging) if (!replicas.members.includes(gone)) this.lagging.delete(gone);
        let isDone = true;
        for (const replica of due) {
            try {
                await this.bringUpToDate(replica, live);
                this.lagging.delete(replica);
            } catch (error) {
                if (!(error instanceof BackendError)) throw error;
                replica.missed++;
                this.lagging.add(replica);
                isDone = false;
            }
        }
        if (isDone) this.tidiedFor = base;
    }

    private async exchangeReplicas(): Promise<void> {
        // Store records of before are left-overs then, with the credentials of what was taken out.
        if (await this.exchange.round()) this.tidyAgain();
    }

    private async bringUpToDate(replica: Replica, live: Live): Promise<void> {
        const { configuration = FIRST_CONFIGURATION } = this.engine.config;
        if (!replica.counts) await fillReplica(this.metadata, { backend: replica.backend, itself: replica }, configuration);
        await tidyReplica(this.metadata, replica, live);
    }
}
