import { BackendError } from "./backend.ts";
import type { ErasureCodec } from "./erasure.ts";
import type { StoreKeys } from "./keys.ts";
import { sizeOf, type Timing, type ValueSize } from "./latency.ts";
import { StoreError } from "./object-api.ts";
import type { Pool } from "./pool.ts";
import { EMPTY, type LayoutRecord, MISSING, type StripeId, type StripeRecord } from "./record.ts";
import { type Stages, UNTIMED } from "./stages.ts";
import { macOf } from "./stripe-writer.ts";
import type { Surroundings } from "./surroundings.ts";

export interface StripeReading {
    readonly keys: StoreKeys;
    readonly codec: ErasureCodec;
    readonly pool: Pool;
    readonly surroundings: Surroundings;
    /** A backend that answers has not given what it was given. */
    onBadShard(stripe: StripeId, index: number): void;
}

const NOTHING = Buffer.alloc(0);

/** The length that the shard has; parity is as long as the longest data shard. */
export function shardLength(stripe: StripeRecord, index: number): number {
    return stripe.lengths[index] ?? stripe.lengths.reduce((most, length) => Math.max(most, length), 0);
}

/**
 * The wanted shards, every byte as it was written. Asks for these first; for others, the fastest first, and reconstructs, where one is missing, wrong, late
 * or on a backend that has become slow. So a read never waits longer than the hedge delay and then for the fastest K others. Rejects with `lost` when fewer than
 * K can be had, and says of each why.
 */
export async function readShards(
    reading: StripeReading,
    stripe: StripeRecord,
    layout: LayoutRecord,
    wanted: readonly number[],
    stages = UNTIMED,
): Promise<Map<number, Buffer>> {
    const bytes = wanted.reduce((sum, index) => sum + shardLength(stripe, index), 0);
    return stages.wait("fetch", bytes, () => new StripeRead(reading, stripe, layout, wanted, stages).result);
}

class StripeRead {
    private readonly reading: StripeReading;
    private readonly stripe: StripeRecord;
    private readonly layout: LayoutRecord;
    private readonly wanted: readonly number[];
    private readonly stages: Stages;
    private readonly size: ValueSize;
    private readonly there = new Map<number, Buffer>();
    private readonly refusals = new Map<number, string>();
    /** Not asked for yet, in the order in which they will be. */
    private readonly order: number[];
    /** Asked for, and whether they are late. */
    private readonly underWay = new Map<number, { isLate: boolean; readonly cancel: () => void }>();
    private hasHedged = false;
    private settled = false;
    private resolve: (shards: Map<number, Buffer>) => void = () => undefined;
    private reject: (error: Error) => void = () => undefined;
    readonly result: Promise<Map<number, Buffer>>;

    constructor(reading: StripeReading, stripe: StripeRecord, layout: LayoutRecord, wanted: readonly number[], stages: Stages) {
        this.stages = stages;
        this.reading = reading;
        this.stripe = stripe;
        this.layout = layout;
        this.wanted = wanted;
        this.size = sizeOf(shardLength(stripe, layout.dataShards));
        for (const [index, backend] of layout.backends.entries()) if (backend === EMPTY) this.there.set(index, NOTHING);
        this.result = new Promise((resolve, reject) => {
            this.resolve = resolve;
            this.reject = reject;
        });
        const ranks = layout.backends.map((backend) => reading.pool.rank(backend, this.size));
        const classes = ["usual", "slow", "down"];
        const ranked = (index: number) => ranks[index] ?? { class: "down" as const, expectedMs: Number.POSITIVE_INFINITY };
        this.order = ranks
            .map((_, index) => index)
            .filter((index) => !this.there.has(index))
            .sort(
                (a, b) =>
                    classes.indexOf(ranked(a).class) - classes.indexOf(ranked(b).class) ||
                    ranked(a).expectedMs - ranked(b).expectedMs ||
                    a - b,
            );
        for (const index of wanted) if (!this.there.has(index) && ranked(index).class === "usual") this.ask(index);
        this.askEnough();
        this.look();
    }

    /** So many that the wanted ones or K come together, if all that are under way and not late come. */
    private askEnough(): void {
        for (;;) {
            const coming = [...this.underWay].flatMap(([index, { isLate }]) => (isLate ? [] : [index]));
            const expected = new Set([...this.there.keys(), ...coming]);
            if (expected.size >= this.layout.dataShards || this.wanted.every((index) => expected.has(index))) return;
            const next = this.order[0];
            if (next === undefined) return;
            this.ask(next);
        }
    }

    private ask(index: number): void {
        this.order.splice(this.order.indexOf(index), 1);
        const { clock } = this.reading.surroundings;
        const timing = this.timingOf(index);
        const request = {
            isLate: false,
            cancel: clock.after(this.reading.pool.hedgeMs(this.size), () => {
                request.isLate = true;
                timing?.late();
                this.hedge();
            }),
        };
        this.underWay.set(index, request);
        this.fetch(index)
            .then(
                (shard) => {
                    timing?.answered();
                    this.there.set(index, shard);
                },
                (error: Error) => {
                    timing?.failed();
                    if (error instanceof BackendError && error.failure === "damaged") this.reading.onBadShard(this.stripe.id, index);
                    this.refusals.set(index, error.message);
                },
            )
            .then(() => {
                request.cancel();
                this.underWay.delete(index);
                if (this.settled) return;
                this.askEnough();
                this.look();
            })
            .catch(this.reject);
    }

    private hedge(): void {
        if (this.settled) return;
        if (!this.hasHedged) this.reading.pool.hedgedReads++;
        this.hasHedged = true;
        this.askEnough();
    }

    private timingOf(index: number): Timing | undefined {
        return this.reading.pool.member(this.layout.backends[index] ?? MISSING)?.latency.begin(this.size);
    }

    private async fetch(index: number): Promise<Buffer> {
        const { reading, stripe, layout } = this;
        const { keys, pool } = reading;
        const member = pool.member(layout.backends[index] ?? MISSING);
        if (member === undefined) throw new BackendError("unreachable", "has no place");
        if (!(await member.tryAgain())) throw new BackendError("unreachable", member.breaker.reason);
        const value = await member.backend.get(keys.shardKey(stripe.id, index, layout.moves[index] ?? 0));
        const fault = this.stages.run("verify", value?.length ?? 0, () => faultOf(keys, stripe, index, value));
        if (value !== undefined && fault === undefined) return value;
        reading.onBadShard(stripe.id, index);
        throw new BackendError("refused", `backend ${member.config.id} ${fault}`);
    }

    private look(): void {
        const { stripe, there, wanted, refusals } = this;
        const { dataShards } = this.layout;
        if (wanted.every((index) => there.has(index))) this.settle(() => this.resolve(pick(there, wanted)));
        else if (there.size >= dataShards) this.settle(() => this.resolve(this.reconstructed()));
        else if (this.underWay.size === 0) this.settle(() => this.reject(lost(stripe, dataShards, there.size, refusals)));
    }

    private reconstructed(): Map<number, Buffer> {
        const { stripe, there, wanted } = this;
        const { dataShards, parityShards, backends } = this.layout;
        const missing = wanted.filter((index) => !there.has(index));
        const shards = backends.map((_, index) => there.get(index));
        const longest = shardLength(stripe, dataShards);
        const { codec } = this.reading;
        const made = this.stages.run("reconstruct", missing.length * longest, () =>
            codec.reconstruct(dataShards, parityShards, shards, longest, missing),
        );
        for (const [at, index] of missing.entries()) there.set(index, (made[at] ?? NOTHING).subarray(0, shardLength(stripe, index)));
        return pick(there, wanted);
    }

    private settle(end: () => void): void {
        this.settled = true;
        // What is still under way goes on being measured.
        end();
    }
}

/** What is wrong with what a backend gave for a shard; undefined when nothing is. */
export function faultOf(keys: StoreKeys, stripe: StripeRecord, index: number, value: Buffer | undefined): string | undefined {
    if (value === undefined) return "does not have it";
    if (value.length !== shardLength(stripe, index)) return `gives ${value.length} bytes of ${shardLength(stripe, index)}`;
    const mac = stripe.macs[index];
    return mac && macOf(keys, stripe.id, index, value).equals(mac) ? undefined : "gives other bytes than were written";
}

function pick(there: ReadonlyMap<number, Buffer>, wanted: readonly number[]): Map<number, Buffer> {
    return new Map(wanted.map((index) => [index, there.get(index) ?? NOTHING]));
}

function lost(stripe: StripeRecord, dataShards: number, there: number, refusals: ReadonlyMap<number, string>): StoreError {
    const words = [...refusals].map(([index, why]) => `shard ${index}: ${why}`).join("; ");
    return new StoreError("lost", `${there} shards of stripe ${stripe.id} can be had and ${dataShards} are needed (${words})`);
}
