import { crc32 } from "node:zlib";
import { CACHE_LARGEST_SEGMENT_BYTES, CACHE_LEAST_SEGMENT_BYTES, CACHE_SEGMENTS } from "./limits.ts";

/** Before each chunk in a segment of the cache: `ZSC1`, key 16, length u32, CRC-32 of these u32. */
export const ENTRY_HEAD_BYTES = 28;
const MAGIC = 0x3143535a;
export const CACHE_KEY_BYTES = 16;

export function headOf(key: Uint8Array, length: number): Buffer {
    const head = Buffer.alloc(ENTRY_HEAD_BYTES);
    head.writeUInt32LE(MAGIC);
    head.set(key, 4);
    head.writeUInt32LE(length, 4 + CACHE_KEY_BYTES);
    head.writeUInt32LE(crc32(head.subarray(0, ENTRY_HEAD_BYTES - 4)), ENTRY_HEAD_BYTES - 4);
    return head;
}

/** Undefined when the bytes are no head as it was written. */
export function parseHead(head: Buffer): { readonly key: Buffer; readonly length: number } | undefined {
    if (head.length < ENTRY_HEAD_BYTES || head.readUInt32LE() !== MAGIC) return undefined;
    if (head.readUInt32LE(ENTRY_HEAD_BYTES - 4) !== crc32(head.subarray(0, ENTRY_HEAD_BYTES - 4))) return undefined;
    return { key: head.subarray(4, 4 + CACHE_KEY_BYTES), length: head.readUInt32LE(4 + CACHE_KEY_BYTES) };
}

/** A cache goes a segment at a time. */
export function segmentBytes(sizeBytes: number): number {
    return Math.min(CACHE_LARGEST_SEGMENT_BYTES, Math.max(CACHE_LEAST_SEGMENT_BYTES, Math.floor(sizeBytes / CACHE_SEGMENTS)));
}

export function nameOfSegment(serial: number): string {
    return `c${serial}`;
}

export function serialOf(name: string): number | undefined {
    return /^c(0|[1-9]\d{0,6})$/.test(name) ? Number(name.slice(1)) : undefined;
}
