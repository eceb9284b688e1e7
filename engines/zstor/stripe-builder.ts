import { SEALED_CHUNK_BYTES, type SealedChunk } from "./chunk.ts";
import { CHUNK_BYTES, SHARD_CHUNKS, STRIPE_BYTES } from "./limits.ts";
import type { ChunkPlace } from "./record.ts";
import type { ShardBuffers } from "./shard-buffers.ts";

/** A stripe whose chunks have their places. */
export interface BuiltStripe {
    /** Data shards, each as long as it is, from the buffers that the builder was given. */
    readonly data: readonly Buffer[];
    /** Of each chunk in the order in which they were added. */
    readonly places: readonly ChunkPlace[];
}

/** Bytes that a data shard has room for. */
export function shardRoom(dataShards: number): number {
    const chunks = Math.floor(STRIPE_BYTES / (dataShards * CHUNK_BYTES));
    return Math.min(SHARD_CHUNKS, Math.max(1, chunks)) * SEALED_CHUNK_BYTES;
}

/** How far a stripe is filled with chunks that are laid one behind the other. */
export class Filling {
    private readonly dataShards: number;
    private readonly room: number;
    private shard = 0;
    private filled = 0;

    constructor(dataShards: number) {
        this.dataShards = dataShards;
        this.room = shardRoom(dataShards);
    }

    /** False when it does not fit any more. */
    add(length: number): boolean {
        if (this.filled + length <= this.room) this.filled += length;
        else if (this.shard + 1 < this.dataShards) {
            this.shard++;
            this.filled = length;
        } else return false;
        return true;
    }
}

/** Gathers sealed chunks until a stripe is full. Neighbours lie in one shard, so that a range read fetches few. */
export class StripeBuilder {
    private readonly dataShards: number;
    private readonly buffers: ShardBuffers;
    private chunks: SealedChunk[] = [];
    private filling: Filling;

    constructor(dataShards: number, buffers: ShardBuffers) {
        this.dataShards = dataShards;
        this.buffers = buffers;
        this.filling = new Filling(dataShards);
    }

    get count(): number {
        return this.chunks.length;
    }

    /** False when it does not fit any more: build, then add it again. */
    add(chunk: SealedChunk): boolean {
        const fits = this.filling.add(chunk.bytes.length);
        if (fits) this.chunks.push(chunk);
        return fits;
    }

    /** Gives the stripe and begins the next one. A stripe that is not full is spread over all shards, since the longest one counts for parity. */
    build(): BuiltStripe {
        const places = spread(this.chunks, this.dataShards, shardRoom(this.dataShards));
        const lengths = lengthsOf(places, this.dataShards);
        const data = lengths.map((length) => this.buffers.take(length));
        for (const [index, { shard, offset }] of places.entries()) this.chunks[index]?.bytes.copy(data[shard] ?? Buffer.alloc(0), offset);
        this.chunks = [];
        this.filling = new Filling(this.dataShards);
        return { data, places };
    }
}

/** Bytes of all shards of a stripe with chunks of these sizes, which fit one. */
export function storedBytesOf(sizes: readonly number[], dataShards: number, parityShards: number): number {
    const chunks = sizes.map((length) => ({ codec: 0, bytes: { length } }));
    const lengths = lengthsOf(spread(chunks, dataShards, shardRoom(dataShards)), dataShards);
    return lengths.reduce((sum, length) => sum + length, 0) + parityShards * Math.max(...lengths);
}

function lengthsOf(places: readonly ChunkPlace[], dataShards: number): number[] {
    const lengths = new Array<number>(dataShards).fill(0);
    for (const { shard, offset, storedBytes } of places) lengths[shard] = offset + storedBytes;
    return lengths;
}

/** Of a sealed chunk what its place depends on. */
interface Sized {
    readonly codec: number;
    readonly bytes: { readonly length: number };
}

/** In order, with the shortest longest shard that a few steps find. */
function spread(chunks: readonly Sized[], dataShards: number, room: number): ChunkPlace[] {
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

function fill(chunks: readonly Sized[], dataShards: number, room: number): ChunkPlace[] | undefined {
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
