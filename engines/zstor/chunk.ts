import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { CHUNK_BYTES } from "./limits.ts";
import type { ObjectId } from "./record.ts";
import { NONCE_BYTES, open, seal, TAG_BYTES } from "./sealing.ts";
import { UNTIMED } from "./stages.ts";

/** Which generation of which object a chunk is of, with its data key. */
export interface ChunkOwner {
    readonly object: ObjectId;
    readonly generation: number;
    readonly dataKey: Buffer;
}

export const CODEC_PLAIN = 0;
export const CODEC_ZSTD = 1;
/** Fastest that still finds what text has: 0.4 GB/s on text, 2 GB/s on what cannot be compressed. */
const FAST = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
/** Compression that saves less than a sixteenth is not worth a decompression at each read. */
const LEAST_SAVING = 16;
/** A long chunk is tried with so many pieces of it first: what they cannot give up at all, the whole will not by a sixteenth. */
const SAMPLES = 3;
const SAMPLE_BYTES = 4096;

export interface SealedChunk {
    readonly codec: number;
    readonly bytes: Buffer;
}

/** The longest a sealed chunk can be. */
export const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES;

export function sealChunk(owner: ChunkOwner, index: number, plain: Uint8Array, compress: boolean, stages = UNTIMED): SealedChunk {
    const small = compress ? stages.run("compress", plain.length, () => (isPromising(plain) ? compressed(plain) : plain)) : plain;
    const codec = small.length <= plain.length - plain.length / LEAST_SAVING ? CODEC_ZSTD : CODEC_PLAIN;
    const body = codec === CODEC_ZSTD ? small : plain;
    const associated = associatedOf(owner, index, codec, plain.length);
    return { codec, bytes: stages.run("encrypt", body.length, () => seal(owner.dataKey, nonceOf(index), associated, body)) };
}

function compressed(plain: Uint8Array): Uint8Array {
    return zstdCompressSync(plain, FAST);
}

function isPromising(plain: Uint8Array): boolean {
    if (plain.length < 4 * SAMPLES * SAMPLE_BYTES) return true;
    const step = Math.floor((plain.length - SAMPLE_BYTES) / (SAMPLES - 1));
    const pieces = Array.from({ length: SAMPLES }, (_, index) => plain.subarray(index * step, index * step + SAMPLE_BYTES));
    return compressed(Buffer.concat(pieces)).length < SAMPLES * SAMPLE_BYTES;
}

/** The plaintext, of exactly that length; undefined when the bytes are not this chunk as it was sealed. */
export function openChunk(
    owner: ChunkOwner,
    index: number,
    codec: number,
    plainBytes: number,
    sealed: Uint8Array,
    stages = UNTIMED,
): Buffer | undefined {
    const associated = associatedOf(owner, index, codec, plainBytes);
    const body = stages.run("decrypt", sealed.length, () => open(owner.dataKey, nonceOf(index), associated, sealed));
    if (body === undefined) return undefined;
    const decompress = () => zstdDecompressSync(body, { maxOutputLength: plainBytes });
    const plain = codec === CODEC_ZSTD ? stages.run("decompress", plainBytes, decompress) : body;
    return plain.length === plainBytes ? plain : undefined;
}

function nonceOf(index: number): Buffer {
    const nonce = Buffer.alloc(NONCE_BYTES);
    nonce.writeUIntBE(index, NONCE_BYTES - 6, 6);
    return nonce;
}

function associatedOf({ object, generation }: ChunkOwner, index: number, codec: number, plainBytes: number): Buffer {
    const bytes = Buffer.alloc(16 + 8 + 8 + 1 + 4);
    bytes.write(object, 0, "hex");
    bytes.writeBigUInt64LE(BigInt(generation), 16);
    bytes.writeBigUInt64LE(BigInt(index), 24);
    bytes.writeUInt8(codec, 32);
    bytes.writeUInt32LE(plainBytes, 33);
    return bytes;
}
