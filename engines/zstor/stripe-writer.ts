import { BackendError } from "./backend.ts";
import type { ErasureCodec } from "./erasure.ts";
import type { StoreKeys } from "./keys.ts";
import { STRAGGLER_MS } from "./limits.ts";
import { StoreError } from "./object-api.ts";
import { type Candidate, type Policy, place } from "./placement.ts";
import type { Pool } from "./pool.ts";
import { EMPTY, MISSING, type StripeId } from "./record.ts";
import { authenticate } from "./sealing.ts";
import type { ShardBuffers } from "./shard-buffers.ts";
import { UNTIMED } from "./stages.ts";
import type { Surroundings } from "./surroundings.ts";

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
 * Makes the parity and stores all shards. Settles when all have a place, or, once enough have, when the others have had their time;
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
    const { backends, isSettled } = await stages.wait("write", allBytes, () => storeShards(writing, policy, leastShards, id, shards));
    const lengths = data.map((shard) => shard.length);
    if (isSettled) writing.buffers.give([...data, ...parity]);
    return { id, lengths, macs, backends };
}

export function macOf(keys: StoreKeys, id: StripeId, index: number, shard: Uint8Array): Buffer {
    return authenticate(keys.shardMac(index), Buffer.from(id, "hex"), shard);
}

function storeShards(
    { pool, keys, surroundings }: StripeWriting,
    policy: Policy,
    leastShards: number,
    id: StripeId,
    shards: readonly (Buffer | undefined)[],
): Promise<Stored> {
    const implicit = new Set(shards.flatMap((shard, index) => (shard ? [] : [index])));
    const least = leastShards - implicit.size;
    const shardBytes = shards.reduce((most, shard) => Math.max(most, shard?.length ?? 0), 0);
    const places: (Candidate | undefined)[] = shards.map(() => undefined);
    const stored = new Set<number>();
    const refused = new Map<number, string>();
    let underWay = 0;
    let why = "";

    return new Promise((resolve, reject) => {
        let settled = false;
        let cancelWait: (() => void) | undefined;
        const accept = () => {
            settled = true;
            cancelWait?.();
            const backends = shards.map((shard, index) => backendOf(shard, stored.has(index) ? places[index] : undefined));
            resolve({ backends, isSettled: underWay === 0 && refused.size === 0 });
        };
        const placeMore = () => {
            const candidates = pool.candidates().filter((candidate) => !refused.has(candidate.id));
            const placement = place({ policy, present: places, implicit, candidates, shardBytes });
            why = placement.why ?? "";
            for (const [index, candidate] of placement.backends.entries()) {
                const shard = shards[index];
                if (candidate === undefined || shard === undefined || places[index] !== undefined) continue;
                places[index] = candidate;
                void store(index, candidate, shard);
            }
        };
        const store = async (index: number, candidate: Candidate, shard: Buffer) => {
            underWay++;
            try {
                const member = pool.member(candidate.id);
                if (member === undefined) throw new BackendError("unreachable", "it is not configured any more");
                await member.backend.set(keys.shardKey(id, index, 0), shard);
                stored.add(index);
            } catch (error) {
                places[index] = undefined;
                refused.set(candidate.id, `${candidate.id}: ${wordsOf(error)}`);
                if (!settled) placeMore();
            }
            underWay--;
            if (!settled) look();
        };
        const look = () => {
            const complete = stored.size + implicit.size === shards.length;
            if (complete) return accept();
            const enough = stored.size >= least;
            if (underWay === 0) {
                if (enough) return accept();
                settled = true;
                cancelWait?.();
                const failed = refused.size === 0 ? "" : ` (failed: ${[...refused.values()].join("; ")})`;
                return reject(
                    new StoreError("no-room", `${stored.size} shards could be stored and at least ${least} have to be: ${why}${failed}`),
                );
            }
            if (enough) cancelWait ??= surroundings.clock.after(STRAGGLER_MS, accept);
        };
        placeMore();
        look();
    });
}

function backendOf(shard: Buffer | undefined, candidate: Candidate | undefined): number {
    if (shard === undefined) return EMPTY;
    return candidate?.id ?? MISSING;
}

function wordsOf(error: unknown): string {
    if (!(error instanceof BackendError)) throw error;
    return error.message;
}
