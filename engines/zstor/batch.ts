import { createHash } from "node:crypto";
import type { StoreKeys } from "./keys.ts";
import { decodeRecords, type MetadataRecord, type WriterId } from "./record.ts";
import { NONCE_BYTES, open, seal } from "./sealing.ts";

const BATCH_MAGIC = "ZSTORJNL";
const PAGE_MAGIC = "ZSTORPAG";
const VERSION = 1;
const BATCH_HEADER_BYTES = 60;
const PAGE_HEADER_BYTES = 32;
const HASH_BYTES = 32;

export const NO_BATCH = Buffer.alloc(HASH_BYTES);

export interface BatchPlace {
    readonly writer: WriterId;
    readonly sequence: number;
}

export interface Batch extends BatchPlace {
    /** Hash of the one before it. */
    readonly previous: Buffer;
    readonly records: readonly MetadataRecord[];
    readonly hash: Buffer;
}

export function sealBatch(keys: StoreKeys, { writer, sequence }: BatchPlace, previous: Buffer, records: Buffer): Buffer {
    const header = Buffer.alloc(BATCH_HEADER_BYTES);
    writeHead(header, BATCH_MAGIC, writer, sequence);
    previous.copy(header, 28);
    return Buffer.concat([header, seal(keys.journal(writer), batchNonce(sequence), header, records)]);
}

/** Undefined when it is not the batch of that place: damaged, another's, or of another version, which cannot be told apart before it is opened. */
export function openBatch(keys: StoreKeys, place: BatchPlace, value: Buffer): Batch | undefined {
    const header = value.subarray(0, BATCH_HEADER_BYTES);
    if (!hasHead(header, BATCH_HEADER_BYTES, BATCH_MAGIC, place)) return undefined;
    const records = open(keys.journal(place.writer), batchNonce(place.sequence), header, value.subarray(BATCH_HEADER_BYTES));
    if (records === undefined) return undefined;
    return { ...place, previous: Buffer.from(header.subarray(28)), records: decodeRecords(records), hash: hashOf(value) };
}

export interface PagePlace extends BatchPlace {
    readonly page: number;
}

export function sealPage(keys: StoreKeys, { writer, sequence, page }: PagePlace, records: Buffer): Buffer {
    const header = Buffer.alloc(PAGE_HEADER_BYTES);
    writeHead(header, PAGE_MAGIC, writer, sequence);
    header.writeUInt32LE(page, 28);
    return Buffer.concat([header, seal(keys.pages(writer), pageNonce(sequence, page), header, records)]);
}

/** The same for a page of a snapshot. */
export function openPage(keys: StoreKeys, place: PagePlace, value: Buffer): MetadataRecord[] | undefined {
    const header = value.subarray(0, PAGE_HEADER_BYTES);
    if (!hasHead(header, PAGE_HEADER_BYTES, PAGE_MAGIC, place) || header.readUInt32LE(28) !== place.page) return undefined;
    const nonce = pageNonce(place.sequence, place.page);
    const records = open(keys.pages(place.writer), nonce, header, value.subarray(PAGE_HEADER_BYTES));
    return records === undefined ? undefined : decodeRecords(records);
}

export function hashOf(value: Uint8Array): Buffer {
    return createHash("sha256").update(value).digest();
}

/** Magic 8, version u32, writer 8, sequence u64. */
function writeHead(header: Buffer, magic: string, writer: WriterId, sequence: number): void {
    header.write(magic, 0, "latin1");
    header.writeUInt32LE(VERSION, 8);
    header.write(writer, 12, "hex");
    header.writeBigUInt64LE(BigInt(sequence), 20);
}

function hasHead(header: Buffer, length: number, magic: string, { writer, sequence }: BatchPlace): boolean {
    if (header.length < length || header.toString("latin1", 0, 8) !== magic) return false;
    return (
        header.readUInt32LE(8) === VERSION && header.toString("hex", 12, 20) === writer && header.readBigUInt64LE(20) === BigInt(sequence)
    );
}

function batchNonce(sequence: number): Buffer {
    return pageNonce(sequence, 0);
}

function pageNonce(sequence: number, page: number): Buffer {
    const nonce = Buffer.alloc(NONCE_BYTES);
    nonce.writeUInt32LE(page, 0);
    nonce.writeBigUInt64LE(BigInt(sequence), 4);
    return nonce;
}
