import { LogIteration, type ScanBudget, type ScanEntry } from "./log-iteration.ts";
import type { Namespace } from "./namespace.ts";
import { type LiveRecord, payloadOffset } from "./place.ts";
import { payloadChecksum, RECORD_KINDS, unixSeconds } from "./record.ts";
import { Unreadable } from "./record-reader.ts";
import { Refusal } from "./refusal.ts";
import { VersionLife } from "./version-life.ts";

/** A place in the order of a namespace; one of an older epoch means nothing any more. */
export interface Cursor {
    readonly epoch: number;
    readonly lsn: number;
}

export interface ScannedKeys {
    readonly entries: readonly ScanEntry[];
    /** To go on from. There may be no entries although the end is not reached: then the time was over before one was found. */
    readonly cursor: Cursor;
    readonly isEnd: boolean;
}

/** One version of a key. */
export interface Version {
    /** LSN of the version before; undefined when there was none, or it is kept no longer. */
    readonly previousLsn: number | undefined;
    readonly lsn: number;
    readonly timestamp: number;
    /** undefined when it cannot be read or is not what was written. */
    readonly payload: Buffer | undefined;
}

/**
 * Live keys after the cursor (direction 1, all without one) or before it (direction -1), in the order of their last write.
 * The answer depends on every record of the log. Throws a Refusal for a cursor of another epoch.
 */
export function scanNamespace(namespace: Namespace, from: Cursor | undefined, direction: 1 | -1, budget: ScanBudget): ScannedKeys {
    const { log } = namespace;
    if (from && (from.epoch !== log.epoch || from.lsn > log.lastLsn)) throw new Refusal("Invalid key format");
    log.write();
    const start = direction === 1 ? 0 : log.lastLsn + 1;
    const { entries, lsn, isEnd } = iterationOf(namespace).scan(from?.lsn ?? start, direction, budget);
    return { entries, cursor: { epoch: log.epoch, lsn }, isEnd };
}

/** The version of a live key that was written with this LSN; the newest without one. Throws the protocol's Refusals. */
export function versionOf(namespace: Namespace, key: Buffer, lsn?: number): Version {
    const { log } = namespace;
    const live = namespace.find(key);
    if (!live) throw new Refusal("Key not found", { lsn: namespace.dependency(undefined) });
    log.write();
    const iteration = iterationOf(namespace);
    const found = iteration.find(lsn ?? live.head.lsn);
    if (!found) throw new Refusal("Invalid arguments (index query)");
    const { segment, cursor } = found;
    if (cursor.kind !== RECORD_KINDS.value || !cursor.key.equals(key)) throw new Refusal("Invalid arguments (invalid key)");
    const head = cursor.head(segment.header.salt);
    const payload = Buffer.allocUnsafe(cursor.payloadLength);
    const isRead = namespace.readAt(segment, cursor.offset + cursor.bytes - payload.length, payload);
    const isSound = isRead && head !== undefined && payloadChecksum(payload) === head.payloadChecksum;
    const previous = cursor.previousLsn > 0 && iteration.find(cursor.previousLsn) ? cursor.previousLsn : undefined;
    return { previousLsn: previous, lsn: cursor.lsn, timestamp: cursor.timestamp, payload: isSound ? payload : undefined };
}

/** Where the record with this LSN begins in its file; 0 when it is kept no longer. */
export function offsetOf(namespace: Namespace, lsn: number): number {
    return iterationOf(namespace).find(lsn)?.cursor.offset ?? 0;
}

/** Judges which versions of a segment are kept as history; undefined: none. */
export function versionLife(namespace: Namespace): VersionLife | undefined {
    const { history } = namespace.properties;
    if (!history) return undefined;
    const iteration = iterationOf(namespace);
    return new VersionLife(
        history,
        {
            live: (key) => namespace.newest(key),
            at(lsn) {
                const cursor = iteration.find(lsn)?.cursor;
                return cursor && { lsn: cursor.lsn, previousLsn: cursor.previousLsn, timestamp: cursor.timestamp };
            },
        },
        unixSeconds(),
    );
}

export function iterationOf(namespace: Namespace): LogIteration {
    const { segments, sidecars } = namespace;
    return new LogIteration({
        disk: namespace.disk,
        segments,
        sidecars,
        isLive: (key, segment, offset) => namespace.isLive(key, segment, offset),
    });
}

/** Whether the value of a key can be read and is what was written; no verdict when there is none. Throws Cold. */
export function verifyValue(
    namespace: Namespace,
    key: Uint8Array,
): { readonly verdict: "intact" | "damaged" | "unreadable" | undefined; readonly lsn: number } {
    let record: LiveRecord | undefined;
    try {
        // As it is on the disk, whatever is remembered of it.
        record = namespace.keys.find(key, true);
    } catch (error) {
        if (!(error instanceof Unreadable)) throw error;
        return { verdict: "unreadable", lsn: namespace.log.lastLsn };
    }
    const lsn = namespace.dependency(record);
    if (!record) return { verdict: undefined, lsn };
    const { place, head } = record;
    const payload = Buffer.allocUnsafe(place.length);
    const segment = namespace.segments.get(place.segment);
    if (!segment || !namespace.readAt(segment, payloadOffset(place), payload)) return { verdict: "unreadable", lsn };
    return { verdict: payloadChecksum(payload) === head.payloadChecksum ? "intact" : "damaged", lsn };
}
