import { Cold } from "./cold-reads.ts";
import { MAX_KEY_BYTES, WHOLE_READ_BYTES } from "./limits.ts";
import { type LiveRecord, type Place, payloadOffset, placeBytes } from "./place.ts";
import { recentBytes } from "./recent-heads.ts";
import { payloadChecksum, RECORD_HEAD_BYTES, readHead, uncheckedHead } from "./record.ts";
import type { Segments } from "./segments.ts";

/** The log does not have there what was written, or the disk does not give it. */
export class Unreadable extends Error {}

const LONGEST_HEAD_BYTES = RECORD_HEAD_BYTES + MAX_KEY_BYTES;
const scratch = Buffer.allocUnsafeSlow(Math.max(WHOLE_READ_BYTES, LONGEST_HEAD_BYTES));
/** A part of it; many records have the same lengths, and making another view of it is seen in the profile of GET. */
let view = scratch.subarray(0, 0);

function scratchView(from: number, to: number): Buffer {
    if (view.byteOffset !== scratch.byteOffset + from || view.length !== to - from) view = scratch.subarray(from, to);
    return view;
}

/**
 * The record at a place if it is of this key, undefined if it is of another; head and key are verified, or remembered. `whole` reads them
 * from the disk in any case and brings the payload of a small record along, not verified yet. Throws Unreadable, and Cold.
 */
export function recordAt(segments: Segments, place: Place, key: Uint8Array, whole: boolean): LiveRecord | undefined {
    const known = whole ? -1 : segments.heads.find(key, place);
    if (known >= 0) return { place, head: uncheckedHead(recentBytes(), known), payload: undefined };
    const headBytes = RECORD_HEAD_BYTES + place.keyLength;
    const bytes = placeBytes(place);
    const isWhole = whole && bytes <= scratch.length;
    if (!tryRead(segments, place.segment, place.offset, scratch, 0, isWhole ? bytes : headBytes)) throw new Unreadable();
    const head = readHead(scratch, 0, headBytes, segments.get(place.segment)?.header.salt ?? 0);
    if (head?.keyLength !== place.keyLength || head.payloadLength !== place.length) throw new Unreadable();
    if (!isKeyOf(scratch, key)) return undefined;
    if (!whole) segments.heads.remember(key, place, scratch, 0);
    return { place, head, payload: isWhole ? scratchView(headBytes, bytes) : undefined };
}

/** Whether the record that begins with these bytes has the key. In a loop, since for so few bytes it costs less than a call. */
function isKeyOf(record: Buffer, key: Uint8Array): boolean {
    for (let at = 0; at < key.length; at++) if (record[RECORD_HEAD_BYTES + at] !== key[at]) return false;
    return true;
}

/** Reads the payload of a record into `target`; false when it cannot be read or is not what was written. Throws Cold. */
export function readPayload(segments: Segments, { place, head, payload }: LiveRecord, target: Buffer, at: number): boolean {
    if (payload) {
        payload.copy(target, at);
        return payloadChecksum(payload) === head.payloadChecksum;
    }
    const { segment, length } = place;
    const fetched = segments.fetched(segment, payloadOffset(place), length);
    if (fetched) {
        fetched.bytes?.copy(target, at);
        return fetched.bytes !== undefined && fetched.checksum === head.payloadChecksum;
    }
    if (!tryRead(segments, segment, payloadOffset(place), target, at, length)) return false;
    return payloadChecksum(target.subarray(at, at + length)) === head.payloadChecksum;
}

function tryRead(segments: Segments, id: number, offset: number, target: Buffer, at: number, length: number): boolean {
    try {
        return segments.read(id, offset, target, at, length);
    } catch (error) {
        if (error instanceof Cold) throw error;
        return false;
    }
}
