import { BackendError } from "./backend.ts";
import type { ErasureCodec } from "./erasure.ts";
import type { StoreKeys } from "./keys.ts";
import { HEDGE_MS } from "./limits.ts";
import { StoreError } from "./object-api.ts";
import type { Pool } from "./pool.ts";
import { EMPTY, type LayoutRecord, MISSING, type StripeId, type StripeRecord } from "./record.ts";
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
 * The wanted shards, every byte as it was written. Asks for these first; for others, and reconstructs, where one is missing, wrong or
 * late. Rejects with `lost` when fewer than K can be had, and says of each why.
 */
export function readShards(
    reading: StripeReading,
    stripe: StripeRecord,
    layout: LayoutRecord,
    wanted: readonly number[],
): Promise<Map<number, Buffer>> {
    const { pool, codec, keys, surroundings } = reading;
    const { dataShards, parityShards, backends } = layout;
    const there = new Map<number, Buffer>();
    for (const [index, backend] of backends.entries()) if (backend === EMPTY) there.set(index, NOTHING);
    const refusals = new Map<number, string>();
    // Those that are not believed to answer come last.
    const order = backends
        .map((_, index) => index)
        .filter((index) => !there.has(index))
        .sort((a, b) => Number(!pool.isUp(backends[a] ?? MISSING)) - Number(!pool.isUp(backends[b] ?? MISSING)));
    const asked = new Set<number>();
    let underWay = 0;

    return new Promise((resolve, reject) => {
        let settled = false;
        let cancelHedge: (() => void) | undefined;
        const settle = (end: () => void) => {
            settled = true;
            cancelHedge?.();
            end();
        };
        const look = () => {
            if (settled) return;
            if (wanted.every((index) => there.has(index))) return settle(() => resolve(pick(there, wanted)));
            if (there.size >= dataShards) return settle(() => resolve(reconstructed()));
            if (underWay === 0) settle(() => reject(lost(stripe, dataShards, there.size, refusals)));
        };
        const reconstructed = () => {
            const missing = wanted.filter((index) => !there.has(index));
            const shards = backends.map((_, index) => there.get(index));
            const made = codec.reconstruct(dataShards, parityShards, shards, shardLength(stripe, dataShards), missing);
            for (const [at, index] of missing.entries()) there.set(index, (made[at] ?? NOTHING).subarray(0, shardLength(stripe, index)));
            return pick(there, wanted);
        };
        /** One more that was not asked for yet. */
        const askAnother = () => {
            const next = order.find((index) => !asked.has(index));
            if (next !== undefined) ask(next);
        };
        const ask = (index: number) => {
            asked.add(index);
            underWay++;
            fetchShard(index)
                .then(
                    (shard) => {
                        there.set(index, shard);
                    },
                    (error: Error) => {
                        refusals.set(index, error.message);
                        // Enough that K can come together, if all that are under way come.
                        while (there.size + underWay - 1 < dataShards && order.some((other) => !asked.has(other))) askAnother();
                    },
                )
                .then(() => {
                    underWay--;
                    look();
                }, reject);
        };
        const fetchShard = async (index: number): Promise<Buffer> => {
            const member = pool.member(backends[index] ?? MISSING);
            if (member === undefined) throw new BackendError("unreachable", "has no place");
            const value = await member.backend.get(keys.shardKey(stripe.id, index, layout.moves[index] ?? 0));
            const fault = faultOf(keys, stripe, index, value);
            if (value !== undefined && fault === undefined) return value;
            reading.onBadShard(stripe.id, index);
            throw new BackendError("refused", `backend ${member.config.id} ${fault}`);
        };
        const hedge = () => {
            cancelHedge = surroundings.clock.after(HEDGE_MS, () => {
                askAnother();
                hedge();
            });
        };
        for (const index of wanted) if (!there.has(index) && pool.isUp(backends[index] ?? MISSING)) ask(index);
        if (underWay + there.size < dataShards && wanted.some((index) => !there.has(index) && !asked.has(index)))
            while (underWay + there.size < dataShards && order.some((index) => !asked.has(index))) askAnother();
        hedge();
        look();
    });
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
