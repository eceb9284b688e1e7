import { crc32 } from "node:zlib";
import { readUint64, writeUint64 } from "./record.ts";

/** Every segment file begins with this many bytes; the rest are records. Field by field in FORMAT.md. */
export const SEGMENT_HEADER_BYTES = 128;
export const FORMAT_VERSION = 1;

const MAGIC = Buffer.from("ZFZDBLOG", "latin1");
const CHECKSUM_OFFSET = SEGMENT_HEADER_BYTES - 4;

/** What a segment says about itself. */
export interface SegmentHeader {
    /** Which history of the namespace the records belong to; emptying a namespace starts a new, higher one. */
    readonly epoch: number;
    readonly number: number;
    /** 0: appended in order, LSNs without a gap. Higher: rewritten by compaction, with gaps. */
    readonly generation: number;
    readonly firstLsn: number;
    /** Last LSN a rewritten segment stands for; 0 in generation 0, where the records tell. */
    readonly lastLsn: number;
    /** Next sequential id when the segment was begun. */
    readonly nextId: number;
    readonly createdMs: number;
    /** Starts the checksum of each record head, so that no other bytes can pass for records of this segment. */
    readonly salt: number;
    /** Size at which the segment is closed. */
    readonly limitBytes: number;
    /** Everything in it that was superseded by records up to this LSN was left out when it was rewritten; 0 when not. */
    readonly cleanLsn: number;
    /** Bytes that were not live but had to stay when it was rewritten: this header, tombstones, properties; and versions kept as history. 0 when not. */
    readonly keptBytes: number;
    readonly historyBytes: number;
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    MAGIC.copy(bytes, 0);
    bytes.writeUInt32LE(FORMAT_VERSION, 8);
    bytes.writeUInt32LE(SEGMENT_HEADER_BYTES, 12);
    writeUint64(bytes, header.epoch, 16);
    writeUint64(bytes, header.firstLsn, 24);
    writeUint64(bytes, header.lastLsn, 32);
    writeUint64(bytes, header.nextId, 40);
    writeUint64(bytes, header.createdMs, 48);
    bytes.writeUInt32LE(header.number, 56);
    bytes.writeUInt32LE(header.generation, 60);
    bytes.writeUInt32LE(header.salt, 64);
    bytes.writeUInt32LE(header.limitBytes, 68);
    writeUint64(bytes, header.cleanLsn, 72);
    writeUint64(bytes, header.keptBytes, 80);
    writeUint64(bytes, header.historyBytes, 88);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, CHECKSUM_OFFSET)), CHECKSUM_OFFSET);
    return bytes;
}

const UNKNOWN_VERSION = "is not known to this version";

/** The file is sound; a later version of this program wrote it. */
export const isOfLaterVersion = (problem: string): boolean => problem.endsWith(UNKNOWN_VERSION);

/** The header, or why these bytes are none. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | { readonly problem: string } {
    if (bytes.length < SEGMENT_HEADER_BYTES) return { problem: "segment header is cut short" };
    if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return { problem: "not a zeroform Zero-DB segment" };
    if (crc32(bytes.subarray(0, CHECKSUM_OFFSET)) !== bytes.readUInt32LE(CHECKSUM_OFFSET)) return { problem: "segment header is damaged" };
    const version = bytes.readUInt32LE(8);
    if (version !== FORMAT_VERSION) return { problem: `segment format ${version} ${UNKNOWN_VERSION}` };
    return {
        epoch: readUint64(bytes, 16),
        firstLsn: readUint64(bytes, 24),
        lastLsn: readUint64(bytes, 32),
        nextId: readUint64(bytes, 40),
        createdMs: readUint64(bytes, 48),
        number: bytes.readUInt32LE(56),
        generation: bytes.readUInt32LE(60),
        salt: bytes.readUInt32LE(64),
        limitBytes: bytes.readUInt32LE(68),
        cleanLsn: readUint64(bytes, 72),
        keptBytes: readUint64(bytes, 80),
        historyBytes: readUint64(bytes, 88),
    };
}

/** File name of a segment. */
export const segmentName = (number: number): string => `d${number}`;

const UNFINISHED_SUFFIX = ".new";

/** Name of a segment file until it is whole; a start removes it. */
export const unfinishedName = (number: number): string => segmentName(number) + UNFINISHED_SUFFIX;

export const isUnfinishedFile = (name: string): boolean =>
    name.endsWith(UNFINISHED_SUFFIX) && segmentNumber(name.slice(0, -UNFINISHED_SUFFIX.length)) !== undefined;

/** Number of a segment file, or undefined for any other name. */
export function segmentNumber(name: string): number | undefined {
    return /^d(0|[1-9]\d{0,8})$/.test(name) ? Number(name.slice(1)) : undefined;
}
