import { RECORD_HEAD_BYTES, type RecordHead } from "./record.ts";

/** Where a record begins. */
export interface Spot {
    /** Number of its segment in memory (`Segments`), not the number of a file. */
    readonly segment: number;
    /** Offset of the record's head in the file. */
    readonly offset: number;
}

/** All the index keeps of a live value. The rest is in the record. */
export interface Place extends Spot {
    readonly keyLength: number;
    /** Of the payload. */
    readonly length: number;
}

/** A live value, as its head in the log tells it. */
export interface LiveRecord {
    readonly place: Place;
    readonly head: RecordHead;
    /** When it was brought along; good until the next read. Not verified. */
    readonly payload: Buffer | undefined;
}

export const samePlace = (a: Place, b: Place): boolean => a.segment === b.segment && a.offset === b.offset;

/** What the record takes in its segment. */
export const placeBytes = ({ keyLength, length }: Place): number => RECORD_HEAD_BYTES + keyLength + length;

export const payloadOffset = ({ offset, keyLength }: Pick<Place, "offset" | "keyLength">): number => offset + RECORD_HEAD_BYTES + keyLength;
