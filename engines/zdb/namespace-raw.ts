import { MAX_KEY_BYTES } from "./limits.ts";
import type { Namespace } from "./namespace.ts";
import { offsetOf } from "./namespace-reading.ts";
import { RECORD_HEAD_BYTES, RECORD_KINDS, type RecordHead, type RecordKind, readHead } from "./record.ts";
import { Refusal } from "./refusal.ts";
import type { Segment } from "./segment.ts";

/** The original knows 1. Ours is 2: a property or a mark, whose bytes are told to nobody but for their number. */
const FLAGS: Readonly<Record<RecordKind, number>> = {
    [RECORD_KINDS.value]: 0,
    [RECORD_KINDS.tombstone]: 1,
    [RECORD_KINDS.property]: 2,
    [RECORD_KINDS.mark]: 2,
};
const UNREADABLE = "Unexpected Internal Error";

/** One record as it lies in its file. */
export interface RawRecord {
    readonly key: Buffer;
    /** Where the version before begins in its file; 0 when there is none, or it is kept no longer. */
    readonly previousOffset: number;
    readonly flags: number;
    readonly timestamp: number;
    readonly payload: Buffer;
    readonly lsn: number;
}

/** The record that begins at this offset of the file with this number. Throws the protocol's Refusals. */
export function rawRecord(namespace: Namespace, file: number, offset: number): RawRecord {
    namespace.log.write();
    const segment = namespace.segments.all.find(({ header }) => header.number === file);
    if (!segment) throw new Refusal("Invalid Request");
    if (offset >= segment.endOffset) throw new Refusal("EOF");
    const { head, key } = readStart(namespace, segment, offset);
    const payload = Buffer.alloc(head.payloadLength);
    const isTold = FLAGS[head.kind] !== FLAGS[RECORD_KINDS.property];
    const isRead = !isTold || namespace.readAt(segment, offset + RECORD_HEAD_BYTES + head.keyLength, payload);
    if (!isRead) throw new Refusal(UNREADABLE);
    const previousOffset = isTold ? offsetOf(namespace, head.previousLsn) : 0;
    return { key, previousOffset, flags: FLAGS[head.kind], timestamp: head.timestamp, payload, lsn: head.lsn };
}

function readStart(namespace: Namespace, segment: Segment, offset: number): { readonly head: RecordHead; readonly key: Buffer } {
    const length = Math.min(RECORD_HEAD_BYTES + MAX_KEY_BYTES, segment.endOffset - offset);
    const start = Buffer.alloc(length);
    if (!namespace.readAt(segment, offset, start)) throw new Refusal(UNREADABLE);
    const head = readHead(start, 0, length, segment.header.salt);
    if (!head) throw new Refusal(UNREADABLE);
    return { head, key: start.subarray(RECORD_HEAD_BYTES, RECORD_HEAD_BYTES + head.keyLength) };
}
