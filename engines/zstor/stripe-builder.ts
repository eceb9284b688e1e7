import { SEALED_CHUNK_BYTES, type SealedChunk } from "./chunk.ts";
import { CHUNK_BYTES, SHARD_CHUNKS, STRIPE_BYTES } from "./limits.ts";
import type { ChunkPlace } from "./record.ts";

/** A stripe whose chunks have their places. */
export interface BuiltStripe {
    /** Data shards, each as long as it is. */
    readonly data: readonly Buffer[];
    /** Of each chunk in the order in which they were added. */
    readonly places: readonly ChunkPlace[];
}

/** Bytes that a data shard has room for. */
export function shardRoom(dataShards: number): number {
    const chunks = Math.floor(STRIPE_BYTES / (dataShards * CHUNK_BYTES));
    return Math.min(SHARD_CHUNKS, Math.max(1, chunks)) * SEALED_CHUNK_BYTES;
}

/** Gathers sealed chunks until a stripe is full. Neighbours lie in one shard, so that a range read fetches few. */
export class StripeBuilder {
    private readonly dataShards: number;
    private readonly room: number;
    private chunks: SealedChunk[] = [];
    private shard = 0;
    private filled = 0;

    constructor(dataShards: number) {
        this.dataShards = dataShards;
        this.room = shardRoom(dataShards);
    }

    get count(): number {
        return this.chunks.length;
    }

    /** False when it does not fit any more: build, then add it again. */
    add(chunk: SealedChunk): boolean {
        const length = chunk.bytes.length;
        if (this.filled + length <= this.room) this.filled += length;
        else if (this.shard + 1 < this.dataShards) {
            this.shard++;
            this.filled = length;
        } else return false;
        this.chunks.push(chunk);
        return true;
    }

    /** Gives the stripe and begins the next one. A stripe that is not full is spread over all shards, since the longest one counts for parity. */
    build(): BuiltStripe {
        const places = spread(this.chunks, this.dataShards, this.room);
        const lengths = new Array<number>(this.dataShards).fill(0);
        for (const { shard, offset, storedBytes } of places) lengths[shard] = offset + storedBytes;
        const data = lengths.map((length) => Buffer.allocUnsafeSlow(length));
        for (const [index, { shard, offset }] of places.entries()) this.chunks[index]?.bytes.copy(data[shard] ?? Buffer.alloc(0), offset);
        this.chunks = [];
        this.shard = 0;
        this.filled = 0;
        return { data, places };
    }
}

/** In order, with the shortest longest shard that a few steps find. */
function spread(chunks: readonly SealedChunk[], dataShards: number, room: number): ChunkPlace[] {
    const total = chunks.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const largest = chunks.reduce((most, { bytes }) => Math.max(most, bytes.length), 0);
    const step = Math.ceil(room / 64);
    for (let target = Math.max(Math.ceil(total / dataShards), largest); target < room; target += step) {
        const places = fill(chunks, dataShards, target);
        if (places) return places;
    }
    const places = fill(chunks, dataShards, room);
    if (places === undefined) throw new RangeError("the chunks do not fit a stripe");
    return places;
}

function fill(chunks: readonly SealedChunk[], dataShards: number, room: number): ChunkPlace[] | undefined {
    const places: ChunkPlace[] = [];
    let shard = 0;
    let offset = 0;
    for (const { bytes, codec } of chunks) {
        if (offset + bytes.length > room) {
            shard++;
            offset = 0;
        }
        if (shard === dataShards) return undefined;
        places.push({ shard, offset, storedBytes: bytes.length, codec });
        offset += bytes.length;
    }
    return places;
}
