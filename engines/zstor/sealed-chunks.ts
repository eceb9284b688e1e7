import type { Engine } from "./engine.ts";
import { StoreError } from "./object-api.ts";
import type { ExtentRecord, StripeId } from "./record.ts";
import type { Stages } from "./stages.ts";
import { readShards } from "./stripe-reader.ts";

export interface FetchedChunks {
    /** As it is by now: what was moved or packed into another stripe since it was looked up. */
    readonly extent: ExtentRecord;
    /** By where they stand in the extent. */
    readonly chunks: ReadonlyMap<number, Buffer>;
    /** Those of them that come from the cache, of which nobody has said yet that they are right. */
    readonly unproven: ReadonlySet<number>;
}

/** Sealed chunks of an extent, by where they stand in it: from the cache of the front end what is there, otherwise from shards. */
export async function fetchChunks(engine: Engine, extent: ExtentRecord, wanted: readonly number[], stages: Stages): Promise<FetchedChunks> {
    const cached = await cachedChunks(engine, extent, wanted, stages);
    const missing = wanted.filter((at) => !cached.has(at));
    const stored =
        missing.length === 0 ? { extent, chunks: new Map<number, Buffer>() } : await storedChunks(engine, extent, missing, stages);
    return { extent: stored.extent, chunks: new Map([...cached, ...stored.chunks]), unproven: new Set(cached.keys()) };
}

/** The same for one whose bytes in the cache were not the right ones. */
export async function fetchAgain(engine: Engine, extent: ExtentRecord, at: number, stages: Stages): Promise<Buffer> {
    engine.cache?.drop(cacheKeyOf(engine, extent, at));
    const { chunks } = await storedChunks(engine, extent, [at], stages);
    return chunks.get(at) ?? Buffer.alloc(0);
}

async function cachedChunks(
    { cache, keys }: Engine,
    extent: ExtentRecord,
    wanted: readonly number[],
    stages: Stages,
): Promise<Map<number, Buffer>> {
    const found = new Map<number, Buffer>();
    if (cache === undefined) return found;
    const { object, generation, firstChunk, chunks } = extent;
    await Promise.all(
        wanted.map(async (at) => {
            const length = chunks[at]?.storedBytes ?? 0;
            const key = keys.cacheKey(object, generation, firstChunk + at);
            const bytes = await stages.wait("cache", length, () => cache.get(key, length));
            if (bytes) found.set(at, bytes);
        }),
    );
    return found;
}

async function storedChunks(
    engine: Engine,
    found: ExtentRecord,
    wanted: readonly number[],
    stages: Stages,
): Promise<{ readonly extent: ExtentRecord; readonly chunks: Map<number, Buffer> }> {
    const { extent, shards } = await fetchShards(engine, found, wanted, stages);
    const chunks = new Map<number, Buffer>();
    for (const [at, { shard, offset, storedBytes }] of extent.chunks.entries()) {
        const bytes = shards.get(shard)?.subarray(offset, offset + storedBytes);
        if (bytes === undefined) continue;
        if (wanted.includes(at)) chunks.set(at, bytes);
        // What came along in the same shard is kept too: who reads one part soon reads its neighbours.
        engine.cache?.put(cacheKeyOf(engine, extent, at), bytes);
    }
    return { extent, chunks };
}

function cacheKeyOf({ keys }: Engine, { object, generation, firstChunk }: ExtentRecord, at: number): Buffer {
    return keys.cacheKey(object, generation, firstChunk + at);
}

interface FetchedShards {
    readonly extent: ExtentRecord;
    readonly shards: ReadonlyMap<number, Buffer>;
}

/** The shards that hold chunks of an extent, wherever they lie by now: those that were moved or packed into another stripe meanwhile are no loss. */
async function fetchShards(engine: Engine, found: ExtentRecord, wanted: readonly number[], stages: Stages): Promise<FetchedShards> {
    for (let extent = found; ; ) {
        const stripe = engine.view.stripe(extent.stripe);
        try {
            const { record, layout } = stripeOf(engine, extent.stripe);
            const indexes = new Set(wanted.flatMap((at) => extent.chunks[at]?.shard ?? []));
            return { extent, shards: await readShards(engine, record, layout, [...indexes], stages) };
        } catch (error) {
            const now = engine.view.extent(extent.object, extent.generation, extent.firstChunk);
            const isSame = now?.stripe === extent.stripe && engine.view.stripe(extent.stripe)?.layout === stripe?.layout;
            if (now === undefined || isSame) throw error;
            extent = now;
        }
    }
}

export function stripeOf(engine: Engine, id: StripeId) {
    const record = engine.view.stripe(id);
    const layout = record && engine.view.layout(record.layout);
    if (record === undefined || layout === undefined) throw new StoreError("lost", `the metadata miss stripe ${id}`);
    return { record, layout };
}
