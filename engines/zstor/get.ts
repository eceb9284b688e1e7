import { type ChunkOwner, CODEC_PLAIN, openChunk } from "./chunk.ts";
import { unwrapKey } from "./data-key.ts";
import { type Engine, generationKey } from "./engine.ts";
import { CHUNK_BYTES, READ_WINDOW_CHUNKS, STRIPES_AHEAD, STRIPES_AHEAD_TOGETHER } from "./limits.ts";
import { type Range, StoreError } from "./object-api.ts";
import type { ExtentRecord } from "./record.ts";
import { type FetchedChunks, fetchAgain, fetchChunks } from "./sealed-chunks.ts";
import { leaveGarbage } from "./seam-garbage.ts";
import { type Stages, stagesIn } from "./stages.ts";
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
            const plain = await openPiece(engine, owner, piece, lengthOf(generation, piece.index), stages);
            if (plain === undefined)
                throw new StoreError(
                    "lost",
                    `chunk ${piece.index} of ${generation.name} cannot be opened: its shard is whole, its key or record is not`,
                );
            // As it came, its part of the shard, and itself.
            leaveGarbage(3 * plain.length);
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
    readonly extent: ExtentRecord;
    /** Where it stands in the extent. */
    readonly at: number;
    readonly sealed: Buffer;
    /** It is from the cache. */
    readonly isUnproven: boolean;
}

async function openPiece(engine: Engine, owner: ChunkOwner, piece: Piece, plainBytes: number, stages: Stages): Promise<Buffer | undefined> {
    const { index, extent, at, sealed, isUnproven } = piece;
    const codec = extent.chunks[at]?.codec ?? CODEC_PLAIN;
    const plain = openChunk(owner, index, codec, plainBytes, sealed, stages);
    if (plain !== undefined || !isUnproven) return plain;
    return openChunk(owner, index, codec, plainBytes, await fetchAgain(engine, extent, at, stages), stages);
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
    const ahead: Promise<FetchedChunks>[] = [];
    let next = first;
    const extents = wantedExtents(engine, generation, first, last);
    const fill = () => {
        while (ahead.length < stripesAhead(engine)) {
            const { value: extent, done } = extents.next();
            if (done) return;
            const wanted = [...extent.chunks.keys()].filter((at) => extent.firstChunk + at >= first && extent.firstChunk + at <= last);
            const fetched = fetchChunks(engine, extent, wanted, stages);
            // Whoever waits for it hears of a failure; nobody may any more when the reader has gone.
            fetched.catch(() => undefined);
            ahead.push(fetched);
        }
    };
    fill();
    while (ahead.length > 0) {
        const taken = ahead.shift();
        if (taken === undefined) return;
        const { extent, chunks, unproven } = await taken;
        fill();
        for (const at of extent.chunks.keys()) {
            const index = extent.firstChunk + at;
            if (index < first || index > last) continue;
            if (index !== next) break;
            next++;
            yield { index, extent, at, sealed: chunks.get(at) ?? Buffer.alloc(0), isUnproven: unproven.has(at) };
        }
    }
    if (next !== last + 1) throw new StoreError("lost", `the metadata of ${generation.name} miss chunk ${next}`);
}

/** Fewer when many read at once. */
function stripesAhead({ readers }: Engine): number {
    const reading = [...readers.values()].reduce((sum, count) => sum + count, 0);
    return Math.max(1, Math.min(STRIPES_AHEAD, Math.floor(STRIPES_AHEAD_TOGETHER / reading)));
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
