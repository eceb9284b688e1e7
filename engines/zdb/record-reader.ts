import { MAX_KEY_BYTES } from "./limits.ts";
import { type LiveRecord, type Place, payloadOffset } from "./place.ts";
import { payloadChecksum, RECORD_HEAD_BYTES, type RecordHead, readHead } from "./record.ts";
import type { Segments } from "./segments.ts";

/** The log does not have there what was written, or the disk does not give it. */
export class Unreadable extends Error {}

const scratch = Buffer.allocUnsafeSlow(RECORD_HEAD_BYTES + MAX_KEY_BYTES);

/** The head of the record at a place if it is of this key, undefined if it is of another; verified. Throws Unreadable. */
export function headAt(segments: Segments, place: Place, key: Uint8Array): RecordHead | undefined {
    const length = RECORD_HEAD_BYTES + place.keyLength;
    if (!tryRead(segments, place.segment, place.offset, scratch, 0, length)) throw new Unreadable();
    const head = readHead(scratch, 0, length, segments.get(place.segment)?.header.salt ?? 0);
    if (head?.keyLength !== place.keyLength || head.payloadLength !== place.length) throw new Unreadable();
    return scratch.compare(key, 0, key.length, RECORD_HEAD_BYTES, length) === 0 ? head : undefined;
}

/** Reads the payload of a record into `target`; false when it cannot be read or is not what was written. */
export function readPayload(segments: Segments, { place, head }: LiveRecord, target: Buffer, at: number): boolean {
    if (!tryRead(segments, place.segment, payloadOffset(place), target, at, place.length)) return false;
    return payloadChecksum(target.subarray(at, at + place.length)) === head.payloadChecksum;
}

function tryRead(segments: Segments, id: number, offset: number, target: Buffer, at: number, length: number): boolean {
    try {
        return segments.read(id, offset, target, at, length);
    } catch {
        return false;
    }
}
