import { encodeBytes } from "./key-text.ts";
import type { Namespace } from "./namespace.ts";
import { iterationOf } from "./namespace-reading.ts";
import { payloadChecksum, RECORD_KINDS } from "./record.ts";
import { RecordCursor } from "./record-blocks.ts";
import type { Segment } from "./segment.ts";

export interface DumpOptions {
    /** Versions that were superseded, and deletions, as long as the log has them. */
    readonly withHistory: boolean;
}

/** One record as `zdb dump` tells it. */
export interface DumpedRecord {
    readonly line: Readonly<Record<string, unknown>>;
    /** Why its value is not in the line. */
    readonly problem: string | undefined;
}

/** The records of a namespace in the order of their LSNs, one at a time. Throws what the disk throws, or a DamagedBlock. */
export function* dumpedRecords(namespace: Namespace, { withHistory }: DumpOptions): Generator<DumpedRecord> {
    const iteration = iterationOf(namespace);
    for (const segment of namespace.segments.all) {
        const blocks = iteration.blocksOf(segment);
        for (let place = 0; place < blocks.count; place++) {
            for (const cursor = new RecordCursor(blocks.read(place)); !cursor.isAtEnd; cursor.step()) {
                const isValue = cursor.kind === RECORD_KINDS.value;
                if (!isValue && !(withHistory && cursor.kind === RECORD_KINDS.tombstone)) continue;
                const isLive = isValue && namespace.isLive(cursor.key, segment, cursor.offset);
                if (isLive || withHistory) yield dumped(namespace, segment, cursor, withHistory ? { live: isLive, deleted: !isValue } : {});
            }
        }
    }
}

function dumped(namespace: Namespace, segment: Segment, cursor: RecordCursor, state: Readonly<Record<string, boolean>>): DumpedRecord {
    const { key, lsn, timestamp, payloadLength, kind } = cursor;
    const { text, encoding } = encodeBytes(key);
    const head = {
        namespace: namespace.name,
        mode: namespace.properties.mode,
        lsn,
        ts: timestamp,
        key: text,
        keyEncoding: encoding,
        ...state,
    };
    if (kind !== RECORD_KINDS.value) return { line: head, problem: undefined };
    const payload = Buffer.allocUnsafe(payloadLength);
    const isRead = namespace.readAt(segment, cursor.offset + cursor.bytes - payloadLength, payload);
    const isSound = isRead && payloadChecksum(payload) === cursor.head(segment.header.salt)?.payloadChecksum;
    if (!isSound) return { line: { ...head, value: null }, problem: `the value of record ${lsn} is damaged` };
    const value = encodeBytes(payload);
    return { line: { ...head, value: value.text, valueEncoding: value.encoding }, problem: undefined };
}
