import { type ChunkOwner, openChunk } from "./chunk.ts";
import { unwrapKey } from "./data-key.ts";
import { type Engine, generationKey } from "./engine.ts";
import { CHUNK_BYTES, READ_WINDOW_CHUNKS, STRIPES_AHEAD } from "./limits.ts";
import { type Range, StoreError } from "./object-api.ts";
import type { ExtentRecord, StripeId } from "./record.ts";
import { leaveGarbage } from "./seam-garbage.ts";
import { type Stages, stagesIn } from "./stages.ts";
import { readShards } from "./stripe-reader.ts";
import type { Generation } from "./view-rows.ts";

/** The bytes of a range, in order. A reader that stops early lets go of everything. */
export async function* readObject(engine: Engine, generation: Generation, range: Range): AsyncGenerator<Buffer> {
    const end = Math.min(range.offset + range.length, generation.sizeBytes);
    if (range.offset >= end) return;
    const key = generationKey(generation.object, generation.generation);
    engine.readers.set(key, (engine.readers.get(key) ?? 0) + 1);
    try {
        const owner = ownerOf(engine, generation);
        const stages = stagesIn(engine.stageFigures, "get");
        for await (const piece of pieces(engine, generation, range.offset, end, stages)) {
            const { chunk, shard } = piece;
            const plain = openChunk(owner, piece.index, chunk.codec, lengthOf(generation, piece.index), shard, stages);
            if (plain === undefined)
                throw new StoreError(
                    "lost",
                    `chunk ${piece.index} of ${generation.name} cannot be opened: its shard is whole, its key or record is not`,
                );
            // Its part of the shard, and itself.
            leaveGarbage(2 * plain.length);
            const start = piece.index * CHUNK_BYTES;
            yield plain.subarray(Math.max(0, range.offset - start), Math.min(plain.length, end - start));
        }
    } finally {
        const readers = (engine.readers.get(key) ?? 1) - 1;
        if (readers === 0) engine.readers.delete(key);
        else engine.readers.set(key, readers);
    }
}

interface Piece {
    readonly index: number;
    readonly chunk: ExtentRecord["chunks"][number];
    /** The sealed bytes. */
    readonly shard: Buffer;
}

function ownerOf(engine: Engine, { object, generation, wrapping, wrappedKey, name }: Generation): ChunkOwner {
    const dataKey = unwrapKey(engine.keys, wrapping, object, generation, wrappedKey);
    if (dataKey === undefined) throw new StoreError("lost", `the key of ${name} cannot be unwrapped`);
    return { object, generation, dataKey };
}

function lengthOf({ sizeBytes }: Generation, index: number): number {
    return Math.min(CHUNK_BYTES, sizeBytes - index * CHUNK_BYTES);
}

/** Sealed chunks in order; the stripes of the next ones are fetched meanwhile. */
async function* pieces(engine: Engine, generation: Generation, offset: number, end: number, stages: Stages): AsyncGenerator<Piece> {
    const first = Math.floor(offset / CHUNK_BYTES);
    const last = Math.floor((end - 1) / CHUNK_BYTES);
    const ahead: Promise<Fetched>[] = [];
    let next = first;
    const extents = wantedExtents(engine, generation, first, last);
    const fill = () => {
        while (ahead.length < STRIPES_AHEAD) {
            const { value: extent, done } = extents.next();
            if (done) return;
            const fetched = fetchShards(engine, extent, first, last, stages);
            // Whoever waits for it hears of a failure; nobody may any more when the reader has gone.
            fetched.catch(() => undefined);
            ahead.push(fetched);
        }
    };
    for (fill(); ahead.length > 0; fill()) {
        const taken = ahead.shift();
        if (taken === undefined) return;
        const { extent, shards } = await taken;
        for (const [at, chunk] of extent.chunks.entries()) {
            const index = extent.firstChunk + at;
            if (index < first || index > last) continue;
            if (index !== next) break;
            next++;
            const shard = shards.get(chunk.shard)?.subarray(chunk.offset, chunk.offset + chunk.storedBytes);
            yield { index, chunk, shard: shard ?? Buffer.alloc(0) };
        }
    }
    if (next !== last + 1) throw new StoreError("lost", `the metadata of ${generation.name} miss chunk ${next}`);
}

/** A window at a time: an object may have millions. */
function* wantedExtents(
    engine: Engine,
    { object, generation }: Generation,
    first: number,
    last: number,
): Generator<ExtentRecord, undefined> {
    for (let from = first; from <= last; ) {
        const extents = engine.view.extents(object, generation, from, Math.min(last, from + READ_WINDOW_CHUNKS - 1));
        yield* extents;
        const end = extents.at(-1);
        if (end === undefined) return undefined;
        from = end.firstChunk + end.chunks.length;
    }
    return undefined;
}

interface Fetched {
    readonly extent: ExtentRecord;
    readonly shards: ReadonlyMap<number, Buffer>;
}

/** What holds the wanted chunks of an extent, wherever that lies by now: shards that were moved or packed into another stripe meanwhile are no loss. */
async function fetchShards(engine: Engine, found: ExtentRecord, first: number, last: number, stages: Stages): Promise<Fetched> {
    for (let extent = found; ; ) {
        const stripe = engine.view.stripe(extent.stripe);
        try {
            const { record, layout } = stripeOf(engine, extent.stripe);
            return { extent, shards: await readShards(engine, record, layout, shardsOf(extent, first, last), stages) };
        } catch (error) {
            const now = engine.view.extent(extent.object, extent.generation, extent.firstChunk);
            const isSame = now?.stripe === extent.stripe && engine.view.stripe(extent.stripe)?.layout === stripe?.layout;
            if (now === undefined || isSame) throw error;
            extent = now;
        }
    }
}

function shardsOf({ firstChunk, chunks }: ExtentRecord, first: number, last: number): number[] {
    const wanted = chunks.flatMap(({ shard }, at) => (firstChunk + at >= first && firstChunk + at <= last ? [shard] : []));
    return [...new Set(wanted)];
}

export function stripeOf(engine: Engine, id: StripeId) {
    const record = engine.view.stripe(id);
    const layout = record && engine.view.layout(record.layout);
    if (record === undefined || layout === undefined) throw new StoreError("lost", `the metadata miss stripe ${id}`);
    return { record, layout };
}
