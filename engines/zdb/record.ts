import { crc32 } from "node:zlib";
import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from "./limits.ts";

/** What a record says. The numbers are on disk. */
export const RECORD_KINDS = {
    /** The key has this value. */
    value: 1,
    /** The key was deleted. */
    tombstone: 2,
    /** A property of the namespace, named by the key, has this value. */
    property: 3,
    /** The log was closed in order: nothing before it can be a torn tail. */
    mark: 4,
} as const;
export type RecordKind = (typeof RECORD_KINDS)[keyof typeof RECORD_KINDS];

/** How the payload is stored. */
export const ENCODINGS = { clear: 0, sealed: 1 } as const;
export type Encoding = (typeof ENCODINGS)[keyof typeof ENCODINGS];

/** Fixed part of a record, followed by the key and the payload. Field by field in FORMAT.md. */
export const RECORD_HEAD_BYTES = 40;
/** Sealing adds a nonce and a tag to a payload. */
export const MAX_PAYLOAD_BYTES = MAX_VALUE_BYTES + 64;

/** Never zero, so that zero-filled blocks are no records; also what a search for the next record looks for. */
export const RECORD_MARK = 0xa5;
export const RECORD_MARK_OFFSET = 39;

const MAX_UINT32 = 0xffff_ffff;
const TWO_TO_32 = 0x1_0000_0000;

/** The head of one record: all of it but the key and the payload. */
export interface RecordHead {
    readonly kind: RecordKind;
    readonly encoding: Encoding;
    readonly keyLength: number;
    readonly payloadLength: number;
    readonly payloadChecksum: number;
    /** Place of the record in its namespace's history, from 1. */
    readonly lsn: number;
    /** LSN of the record this one supersedes, 0 when the key is new. */
    readonly previousLsn: number;
    /** Unix seconds, 32 bits, as clients see it. */
    readonly timestamp: number;
    /** How many LSNs directly before this one were not known to be synced when it was written. */
    readonly unsynced: number;
}

/** Heads are made here and then copied to their place: the views of it that a checksum and a copy need are made once for each length of keys. */
const made = Buffer.allocUnsafeSlow(RECORD_HEAD_BYTES + MAX_KEY_BYTES);
let whole = made.subarray(0, 0);
let checked = made.subarray(0, 0);

/** Writes head and key at `at` and returns their length. `salt` is the segment's: frames of other segments or inside values never match. */
export function writeHead(target: Buffer, at: number, head: RecordHead, key: Uint8Array, salt: number): number {
    const length = RECORD_HEAD_BYTES + head.keyLength;
    if (whole.length !== length) {
        whole = made.subarray(0, length);
        checked = made.subarray(4, length);
    }
    made.writeUInt32LE(head.payloadChecksum, 4);
    writeUint64(made, head.lsn, 8);
    writeUint64(made, head.previousLsn, 16);
    made.writeUInt32LE(head.payloadLength, 24);
    made.writeUInt32LE(head.timestamp, 28);
    made.writeUInt32LE(Math.min(head.unsynced, MAX_UINT32), 32);
    made[36] = head.kind;
    made[37] = head.encoding;
    made[38] = head.keyLength;
    made[RECORD_MARK_OFFSET] = RECORD_MARK;
    made.set(key, RECORD_HEAD_BYTES);
    made.writeUInt32LE(crc32(checked, salt), 0);
    target.set(whole, at);
    return length;
}

/** The record head at `at`, or undefined when these bytes are not the head and key of a record of the segment with this salt. */
export function readHead(source: Buffer, at: number, end: number, salt: number): RecordHead | undefined {
    if (at + RECORD_HEAD_BYTES > end || source[at + RECORD_MARK_OFFSET] !== RECORD_MARK) return undefined;
    if (!isKind(source[at + 36]) || !isEncoding(source[at + 37])) return undefined;
    const keyEnd = at + RECORD_HEAD_BYTES + source.readUInt8(at + 38);
    if (keyEnd > end || source.readUInt32LE(at + 24) > MAX_PAYLOAD_BYTES) return undefined;
    if (crc32(at === 0 ? firstPart(source, keyEnd) : source.subarray(at + 4, keyEnd), salt) !== source.readUInt32LE(at)) return undefined;
    return uncheckedHead(source, at);
}

let firstSource: Buffer | undefined;
let first: Buffer = made.subarray(0, 0);

/** What the checksum of a head at the beginning of a buffer is made of: GET reads one record after the other into the same. */
function firstPart(source: Buffer, end: number): Buffer {
    if (source !== firstSource || first.length !== end - 4) {
        first = source.subarray(4, end);
        firstSource = source;
    }
    return first;
}

/** The record head at `at` of bytes that are known to be one. */
export function uncheckedHead(source: Buffer, at: number): RecordHead {
    return {
        kind: source.readUInt8(at + 36) as RecordKind,
        encoding: source.readUInt8(at + 37) as Encoding,
        keyLength: source.readUInt8(at + 38),
        payloadLength: source.readUInt32LE(at + 24),
        payloadChecksum: source.readUInt32LE(at + 4),
        lsn: readUint64(source, at + 8),
        previousLsn: readUint64(source, at + 16),
        timestamp: source.readUInt32LE(at + 28),
        unsynced: source.readUInt32LE(at + 32),
    };
}

/** Length of the whole record on disk. */
export function recordLength(head: { readonly keyLength: number; readonly payloadLength: number }): number {
    return RECORD_HEAD_BYTES + head.keyLength + head.payloadLength;
}

/** Checksum of a payload as records carry it. */
export function payloadChecksum(payload: Uint8Array): number {
    return crc32(payload as Buffer);
}

/** What the head of a record is made from in a file that is on disk before it gets its name. */
export interface WrittenRecord {
    readonly lsn: number;
    readonly kind: RecordKind;
    readonly key: Uint8Array;
    readonly payload: Uint8Array;
    readonly previousLsn: number;
    readonly timestamp: number;
    readonly encoding?: Encoding;
}

export function headOf({ lsn, kind, key, payload, previousLsn, timestamp, encoding = ENCODINGS.clear }: WrittenRecord): RecordHead {
    return {
        kind,
        encoding,
        keyLength: key.length,
        payloadLength: payload.length,
        payloadChecksum: payloadChecksum(payload),
        lsn,
        previousLsn,
        timestamp,
        unsynced: 0,
    };
}

/** Now, as records keep it. */
export function unixSeconds(): number {
    return Math.floor(Date.now() / 1000) >>> 0;
}

export function writeUint64(target: Buffer, value: number, at: number): void {
    target.writeUInt32LE(value >>> 0, at);
    target.writeUInt32LE(Math.floor(value / TWO_TO_32), at + 4);
}

/** Counters stay below 2^53, which no log reaches; a larger number on disk fails its checksum or the order of LSNs. */
export function readUint64(source: Buffer, at: number): number {
    return source.readUInt32LE(at) + source.readUInt32LE(at + 4) * TWO_TO_32;
}

function isKind(value: number | undefined): value is RecordKind {
    return value !== undefined && value >= RECORD_KINDS.value && value <= RECORD_KINDS.mark;
}

function isEncoding(value: number | undefined): value is Encoding {
    return value === ENCODINGS.clear || value === ENCODINGS.sealed;
}
