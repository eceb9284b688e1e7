import type { Cursor } from "./namespace-reading.ts";
import { readUint64, writeUint64 } from "./record.ts";
import { Refusal } from "./refusal.ts";

/** One byte that says which kind of cursor it is, epoch, LSN: as long as the original's, which tells nothing but its length either. */
const CURSOR_KIND = 1;
const CURSOR_BYTES = 17;
const LSN_BYTES = 8;

/** What clients hold between two steps of SCAN. */
export function encodeCursor({ epoch, lsn }: Cursor): Buffer {
    const bytes = Buffer.alloc(CURSOR_BYTES);
    bytes[0] = CURSOR_KIND;
    writeUint64(bytes, epoch, 1);
    writeUint64(bytes, lsn, 9);
    return bytes;
}

/** Throws the protocol's Refusal for what is none. */
export function decodeCursor(bytes: Buffer): Cursor {
    if (bytes.length !== CURSOR_BYTES || bytes[0] !== CURSOR_KIND) throw new Refusal("Invalid key format");
    return { epoch: readUint64(bytes, 1), lsn: readUint64(bytes, 9) };
}

/** A version of a key, as HISTORY tells it. */
export function encodeVersion(lsn: number): Buffer {
    const bytes = Buffer.alloc(LSN_BYTES);
    writeUint64(bytes, lsn, 0);
    return bytes;
}

/** Throws the protocol's Refusals for what is none, and for the one before the first. */
export function decodeVersion(bytes: Buffer): number {
    if (bytes.length !== LSN_BYTES) throw new Refusal("Invalid arguments");
    const lsn = readUint64(bytes, 0);
    if (lsn === 0) throw new Refusal("No more history");
    return lsn;
}
