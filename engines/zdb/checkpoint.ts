import { crc32 } from "node:zlib";
import type { HashKey } from "./key-hash.ts";
import type { Mode } from "./properties.ts";
import { readUint64, writeUint64 } from "./record.ts";
import type { SegmentHeader } from "./segment-header.ts";

/** A copy of the index as it was about a moment of the log. Field by field in FORMAT.md. */
export const CHECKPOINT_NAME = "checkpoint";
export const CHECKPOINT_HEADER_BYTES = 128;
export const PAGE_HEADER_BYTES = 16;

const MAGIC = Buffer.from("ZFZDBCKP", "latin1");
const VERSION = 1;
const HEADER_CHECKSUM_OFFSET = CHECKPOINT_HEADER_BYTES - 4;
const SEGMENT_BYTES = 32;
const LSN_BYTES = 8;

export interface CheckpointHeader {
    readonly epoch: number;
    /** Every record up to here is in the index. */
    readonly fromLsn: number;
    /** Some up to here are: no log that ends before belongs to it. */
    readonly endLsn: number;
    readonly mode: Mode;
    readonly hashKey: HashKey;
    readonly pages: number;
    /** Of all pages with their headers. */
    readonly pageBytes: number;
    readonly segments: number;
    readonly properties: number;
    /** Of all behind the header. */
    readonly checksum: number;
}

/** A segment that entries of the index may point to. */
export interface CheckpointSegment {
    /** As entries have it. */
    readonly id: number;
    readonly number: number;
    readonly generation: number;
    readonly salt: number;
    readonly firstLsn: number;
    /** Bytes that were in the file. */
    readonly bytes: number;
}

export interface CheckpointTables {
    /** In the order of their LSNs; the last one was appended to. */
    readonly segments: readonly CheckpointSegment[];
    /** LSNs of the last record of each property. */
    readonly propertyLsns: readonly number[];
}

/** A page of the index, as it is in memory. */
export interface PageImage {
    /** Where it belongs: the first tag, shifted to 32 bits, or the number of a page of ids. */
    readonly position: number;
    readonly depth: number;
    readonly words: Int32Array;
}

export function encodeCheckpointHeader(header: CheckpointHeader): Buffer {
    const bytes = Buffer.alloc(CHECKPOINT_HEADER_BYTES);
    MAGIC.copy(bytes, 0);
    bytes.writeUInt32LE(VERSION, 8);
    bytes.writeUInt32LE(CHECKPOINT_HEADER_BYTES, 12);
    writeUint64(bytes, header.epoch, 16);
    writeUint64(bytes, header.fromLsn, 24);
    writeUint64(bytes, header.endLsn, 32);
    writeUint64(bytes, header.pageBytes, 40);
    bytes.writeUInt32LE(header.mode === "user" ? 1 : 2, 48);
    bytes.writeUInt32LE(header.hashKey.low, 52);
    bytes.writeUInt32LE(header.hashKey.high, 56);
    bytes.writeUInt32LE(header.pages, 60);
    bytes.writeUInt32LE(header.segments, 64);
    bytes.writeUInt32LE(header.properties, 68);
    bytes.writeUInt32LE(header.checksum, 72);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, HEADER_CHECKSUM_OFFSET)), HEADER_CHECKSUM_OFFSET);
    return bytes;
}

/** The header, or why these bytes are none. */
export function decodeCheckpointHeader(bytes: Buffer): CheckpointHeader | string {
    if (bytes.length < CHECKPOINT_HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return "it is not finished";
    if (crc32(bytes.subarray(0, HEADER_CHECKSUM_OFFSET)) !== bytes.readUInt32LE(HEADER_CHECKSUM_OFFSET)) return "its header is damaged";
    if (bytes.readUInt32LE(8) !== VERSION) return "it is of another version";
    return {
        epoch: readUint64(bytes, 16),
        fromLsn: readUint64(bytes, 24),
        endLsn: readUint64(bytes, 32),
        pageBytes: readUint64(bytes, 40),
        mode: bytes.readUInt32LE(48) === 1 ? "user" : "seq",
        hashKey: { low: bytes.readUInt32LE(52), high: bytes.readUInt32LE(56) },
        pages: bytes.readUInt32LE(60),
        segments: bytes.readUInt32LE(64),
        properties: bytes.readUInt32LE(68),
        checksum: bytes.readUInt32LE(72),
    };
}

export const tableBytes = (segments: number, properties: number): number => segments * SEGMENT_BYTES + properties * LSN_BYTES;

export function encodeTables({ segments, propertyLsns }: CheckpointTables): Buffer {
    const bytes = Buffer.alloc(tableBytes(segments.length, propertyLsns.length));
    let at = 0;
    for (const { id, number, generation, salt, firstLsn, bytes: size } of segments) {
        bytes.writeUInt32LE(id, at);
        bytes.writeUInt32LE(number, at + 4);
        bytes.writeUInt32LE(generation, at + 8);
        bytes.writeUInt32LE(salt, at + 12);
        writeUint64(bytes, firstLsn, at + 16);
        writeUint64(bytes, size, at + 24);
        at += SEGMENT_BYTES;
    }
    for (const lsn of propertyLsns) {
        writeUint64(bytes, lsn, at);
        at += LSN_BYTES;
    }
    return bytes;
}

export function decodeTables(bytes: Buffer, { segments, properties }: CheckpointHeader): CheckpointTables {
    const rows = Array.from({ length: segments }, (_, place) => {
        const at = place * SEGMENT_BYTES;
        return {
            id: bytes.readUInt32LE(at),
            number: bytes.readUInt32LE(at + 4),
            generation: bytes.readUInt32LE(at + 8),
            salt: bytes.readUInt32LE(at + 12),
            firstLsn: readUint64(bytes, at + 16),
            bytes: readUint64(bytes, at + 24),
        };
    });
    const lsns = Array.from({ length: properties }, (_, place) => readUint64(bytes, segments * SEGMENT_BYTES + place * LSN_BYTES));
    return { segments: rows, propertyLsns: lsns };
}

export function encodePageHeader(target: Buffer, at: number, { position, depth, words }: PageImage): void {
    writeUint64(target, position, at);
    target.writeUInt32LE(depth, at + 8);
    target.writeUInt32LE(words.length, at + 12);
}

/** Why a checkpoint does not belong to the segments of a log; undefined when it does. */
export function mismatch(
    { epoch }: CheckpointHeader,
    { segments }: CheckpointTables,
    stored: readonly { readonly header: SegmentHeader; readonly end: number }[],
): string | undefined {
    for (const [place, { number, generation, salt, firstLsn, bytes }] of segments.entries()) {
        const found = stored[place];
        if (!found) return `segment d${number} is missing`;
        const { header, end } = found;
        if (header.epoch !== epoch) return "it is of another epoch";
        const isSame = header.number === number && header.generation === generation && header.salt === salt;
        if (!isSame || header.firstLsn !== firstLsn) return `segment d${number} was rewritten since`;
        if (end < bytes) return `segment d${number} is shorter than it was`;
    }
    return undefined;
}
