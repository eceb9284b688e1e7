import { BackendError } from "./backend.ts";
import type { ErasureCodec } from "./erasure.ts";
import type { StoreKeys } from "./keys.ts";
import { LATE_FACTOR, LATE_FACTOR_TARDY, LATE_LEAST_MS, LATE_LEAST_TARDY_MS, LATE_MOST_MS } from "./limits.ts";
import { StoreError } from "./object-api.ts";
import { type Candidate, type Policy, placePromptly } from "./placement.ts";
import type { Pool } from "./pool.ts";
import { EMPTY, MISSING, type StripeId } from "./record.ts";
import { authenticate } from "./sealing.ts";
import type { ShardBuffers } from "./shard-buffers.ts";
import { UNTIMED } from "./stages.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Tardiness } from "./tardiness.ts";

export interface WrittenStripe {
    readonly id: StripeId;
    readonly lengths: readonly number[];
    readonly macs: readonly (Buffer | undefined)[];
    /** As in a layout. */
    readonly backends: readonly number[];
}

/** Everything that writing shards needs; one for a store. */
export interface StripeWriting {
    readonly keys: StoreKeys;
    readonly codec: ErasureCodec;
    readonly pool: Pool;
    readonly surroundings: Surroundings;
    readonly buffers: ShardBuffers;
}

/** `isSettled`: every shard was taken at the first attempt, so nobody is going to send its bytes any more. */
interface Stored {
    readonly backends: number[];
    readonly isSettled: boolean;
}

/**
 * Makes the parity and stores all shards. Settles when all have a place, or, once enough have, when the others are late;
 * what is missing then is debt. Rejects with `no-room` when there are not enough. `data` are buffers of `writing.buffers`, which are given
 * back when nobody needs them any more.
 */
export async function writeStripe(
    writing: StripeWriting,
    policy: Policy,
    leastShards: number,
    id: StripeId,
    data: readonly Buffer[],
    stages = UNTIMED,
): Promise<WrittenStripe> {
    const longest = data.reduce((most, shard) => Math.max(most, shard.length), 0);
    const parity = Array.from({ length: policy.parityShards }, () => writing.buffers.take(longest));
    const dataBytes = data.reduce((sum, shard) => sum + shard.length, 0);
    const allBytes = dataBytes + policy.parityShards * longest;
    stages.run("encode", dataBytes, () => writing.codec.encode(data, parity));
    const shards = [...data, ...parity].map((shard) => (shard.length === 0 ? undefined : shard));
    const macs = stages.run("authenticate", allBytes, () => shards.map((shard, index) => shard && macOf(writing.keys, id, index, shard)));
    const { backends, isSettled } = await stages.wait(
        "write",
        allBytes,
        () => new StripeWrite(writing, policy, leastShards, id, shards).result,
    );
    const lengths = data.map((shard) => shard.length);
    if (isSettled) writing.buffers.give([...data, ...parity]);
    return { id, lengths, macs, backends };
}

export function macOf(keys: StoreKeys, id: StripeId, index: number, shard: Uint8Array): Buffer {
    return authenticate(keys.shardMac(index), Buffer.from(id, "hex"), shard);
}

/** One shard on its way to one backend. */
interface Attempt {
    readonly index: number;
    readonly candidate: Candidate;
    readonly beganMs: number;
    /** Not waited for any more. */
    isLate: boolean;
    cancel: () => void;
    /** To be called when it ends, once nobody waits for it. */
    pay: () => void;
}

/**
 * The shards of one stripe on their way. What takes much longer than half of them did is late: it is sent to another backend too, if one is left, and
 * whichever has it first counts. Once enough are stored and all others are late, nobody waits for them: they are debt.
 */
class StripeWrite {
    private readonly writing: StripeWriting;
    private readonly policy: Policy;
    private readonly id: StripeId;
    private readonly shards: readonly (Buffer | undefined)[];
    private readonly implicit: ReadonlySet<number>;
    private readonly least: number;
    private readonly beganMs: number;
    private readonly stored = new Map<number, Candidate>();
    private readonly underWay = new Set<Attempt>();
    private readonly refused = new Map<number, string>();
    /** What half of the shards took, once they are there. */
    private halfMs: number | undefined;
    private why = "";
    private settled = false;
    private resolve: (stored: Stored) => void = () => undefined;
    private reject: (error: Error) => void = () => undefined;
    readonly result: Promise<Stored>;

    constructor(writing: StripeWriting, policy: Policy, leastShards: number, id: StripeId, shards: readonly (Buffer | undefined)[]) {
        this.writing = writing;
        this.policy = policy;
        this.id = id;
        this.shards = shards;
        this.implicit = new Set(shards.flatMap((shard, index) => (shard ? [] : [index])));
        this.least = leastShards - this.implicit.size;
        this.beganMs = writing.surroundings.clock.steadyMs();
        this.result = new Promise((resolve, reject) => {
            this.resolve = resolve;
            this.reject = reject;
        });
        this.placeMore();
        this.look();
    }

    /** Gives a place to every shard that has none where it is stored or may soon be. */
    private placeMore(): void {
        const { pool } = this.writing;
        const attempts = [...this.underWay];
        const present = this.shards.map(
            (_, index) => this.stored.get(index) ?? attempts.find((attempt) => attempt.index === index && !attempt.isLate)?.candidate,
        );
        // Whichever of two copies comes first, no disk has two shards.
        const lateDisks = new Set(attempts.flatMap(({ isLate, candidate }) => (isLate ? [candidate.disk] : [])));
        const candidates = pool.candidates().filter(({ id, disk }) => !this.refused.has(id) && !lateDisks.has(disk));
        const shardBytes = this.shards.reduce((most, shard) => Math.max(most, shard?.length ?? 0), 0);
        const { policy, implicit } = this;
        const placement = placePromptly({ policy, present, implicit, candidates, shardBytes }, (id) => pool.isTardy(id));
        this.why = placement.why ?? "";
        for (const [index, candidate] of placement.backends.entries()) {
            const shard = this.shards[index];
            if (candidate === undefined || shard === undefined || present[index] !== undefined) continue;
            if (attempts.some((attempt) => attempt.index === index)) pool.hedgedWrites++;
            this.attempt(index, candidate, shard);
        }
    }

    private attempt(index: number, candidate: Candidate, shard: Buffer): void {
        const nothing = () => undefined;
        const beganMs = this.writing.surroundings.clock.steadyMs();
        const attempt: Attempt = { index, candidate, beganMs, isLate: false, cancel: nothing, pay: nothing };
        this.underWay.add(attempt);
        this.limit(attempt);
        this.send(attempt, shard)
            .then((failure) => {
                attempt.cancel();
                attempt.pay();
                this.underWay.delete(attempt);
                if (failure !== undefined) this.refused.set(candidate.id, `${candidate.id}: ${failure}`);
                if (this.settled) return;
                if (failure === undefined && !this.stored.has(index)) this.stored.set(index, candidate);
                if (failure !== undefined) this.placeMore();
                this.look();
            })
            .catch(this.reject);
    }

    /** Gives why it failed. */
    private async send({ index, candidate }: Attempt, shard: Buffer): Promise<string | undefined> {
        const { pool, keys } = this.writing;
        try {
            const member = pool.member(candidate.id);
            if (member === undefined) return "it is not configured any more";
            await member.backend.set(keys.shardKey(this.id, index, 0), shard);
            return undefined;
        } catch (error) {
            return wordsOf(error);
        }
    }

    private look(): void {
        if (this.settled) return;
        const { stored, underWay, least } = this;
        const wanted = this.shards.length - this.implicit.size;
        const isAwaited = [...underWay].some(({ index, isLate }) => !isLate && !stored.has(index));
        if (stored.size === wanted || (stored.size >= least && !isAwaited)) this.accept();
        else if (underWay.size === 0) this.refuse();
        if (this.settled || this.halfMs !== undefined || 2 * stored.size < wanted) return;
        this.halfMs = this.writing.surroundings.clock.steadyMs() - this.beganMs;
        for (const attempt of underWay) this.limit(attempt);
    }

    /** From when on it is late. */
    private limit(attempt: Attempt): void {
        const { halfMs } = this;
        if (halfMs === undefined || this.settled) return;
        const { clock } = this.writing.surroundings;
        const isTardy = this.writing.pool.isTardy(attempt.candidate.id);
        const [factor, leastMs] = isTardy ? [LATE_FACTOR_TARDY, LATE_LEAST_TARDY_MS] : [LATE_FACTOR, LATE_LEAST_MS];
        const ms = Math.min(LATE_MOST_MS, Math.max(leastMs, factor * halfMs));
        attempt.cancel = clock.after(Math.max(0, attempt.beganMs + ms - clock.steadyMs()), () => this.late(attempt));
    }

    private late(attempt: Attempt): void {
        if (this.settled) return;
        attempt.isLate = true;
        const tardiness = this.tardinessOf(attempt);
        tardiness?.late();
        attempt.pay = tardiness?.owe() ?? attempt.pay;
        if (!this.stored.has(attempt.index)) this.placeMore();
        this.look();
    }

    private tardinessOf({ candidate }: Attempt): Tardiness | undefined {
        return this.writing.pool.member(candidate.id)?.tardiness;
    }

    private accept(): void {
        this.settled = true;
        for (const attempt of this.underWay) {
            attempt.cancel();
            if (!attempt.isLate) attempt.pay = this.tardinessOf(attempt)?.owe() ?? attempt.pay;
        }
        const backends = this.shards.map((shard, index) => (shard === undefined ? EMPTY : (this.stored.get(index)?.id ?? MISSING)));
        this.resolve({ backends, isSettled: this.underWay.size === 0 && this.refused.size === 0 });
    }

    private refuse(): void {
        this.settled = true;
        const failed = this.refused.size === 0 ? "" : ` (failed: ${[...this.refused.values()].join("; ")})`;
        const count = `${this.stored.size} shards could be stored and at least ${this.least} have to be`;
        this.reject(new StoreError("no-room", `${count}: ${this.why}${failed}`));
    }
}

function wordsOf(error: unknown): string {
    if (!(error instanceof BackendError)) throw error;
    return error.message;
}
