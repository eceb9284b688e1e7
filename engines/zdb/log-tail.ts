import type { StoredCheckpoint } from "./checkpoint-reader.ts";
import type { DiskReader } from "./disk.ts";
import { RECORD_HEAD_BYTES, RECORD_KINDS, readHead } from "./record.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-header.ts";
import { type ScannedRecord, SegmentScanner } from "./segment-scanner.ts";
import { type StoredSegment, sourceOf } from "./stored-segment.ts";

/**
 * A machine that stopped may have kept the head of its last records but not their payloads: such records at the very end, which
 * nobody was promised, are part of the torn tail. Records known to be synced are not looked at, nor any when the log was closed in order.
 */
export function endOfSoundPayloads(disk: DiskReader, segment: StoredSegment, checkpoint: StoredCheckpoint | undefined): number {
    if (endsWithMark(disk, segment)) return segment.end;
    const synced = checkpoint?.syncedEnd(segment.header.firstLsn);
    const scanner = new SegmentScanner(disk, segment.fd, segment.end, segment.header, synced?.nextLsn, synced?.offset);
    let unsure: ScannedRecord[] = [];
    for (let record = scanner.next(); record; record = scanner.next()) {
        if (record.head.unsynced === 0) unsure = [];
        if (record.head.kind === RECORD_KINDS.mark) unsure = [];
        else unsure.push(record);
    }
    if (scanner.damage.length > 0) return segment.end;
    const source = sourceOf(disk, segment, 0);
    let end = segment.end;
    for (const record of unsure.reverse()) {
        if (source.payload(record)) break;
        end = record.offset;
    }
    return end;
}

/**
 * A power loss keeps any of what was not synced, in any order: a hole, or a value that is not what was written, with sound records behind
 * it. From the first of these on nothing was promised, and clients count on seeing no write without those before it: all of it is
 * the torn tail. What a later record knows to have been synced is no part of it, that would be damage.
 */
export function endOfPromised(disk: DiskReader, segment: StoredSegment, checkpoint: StoredCheckpoint | undefined): number {
    if (endsWithMark(disk, segment)) return segment.end;
    const known = checkpoint?.syncedEnd(segment.header.firstLsn);
    const scanner = new SegmentScanner(disk, segment.fd, segment.end, segment.header, known?.nextLsn, known?.offset);
    let syncedLsn = (known?.nextLsn ?? segment.header.firstLsn) - 1;
    let unsure: { readonly lsn: number; readonly offset: number; readonly record: ScannedRecord | undefined }[] = [];
    for (let holes = 0, record = scanner.next(); record; record = scanner.next()) {
        const { lsn, kind, unsynced } = record.head;
        for (const { expectedLsn, offset } of scanner.damage.slice(holes)) unsure.push({ lsn: expectedLsn, offset, record: undefined });
        holes = scanner.damage.length;
        unsure.push({ lsn, offset: record.offset, record });
        const before = syncedLsn;
        syncedLsn = Math.max(syncedLsn, kind === RECORD_KINDS.mark ? lsn - 1 : lsn - 1 - unsynced);
        if (syncedLsn > before) unsure = unsure.filter((each) => each.lsn > syncedLsn);
    }
    const source = sourceOf(disk, segment, 0);
    return unsure.find(({ record }) => !record || !source.payload(record))?.offset ?? segment.end;
}

/** Whether the log was closed in order: then its last segment need not be read for this. */
function endsWithMark(disk: DiskReader, { fd, end, header }: StoredSegment): boolean {
    const bytes = Buffer.alloc(RECORD_HEAD_BYTES);
    const count = disk.read(fd, bytes, 0, bytes.length, Math.max(SEGMENT_HEADER_BYTES, end - bytes.length));
    const head = readHead(bytes, 0, count, header.salt);
    return head?.kind === RECORD_KINDS.mark && head.keyLength === 0 && head.payloadLength === 0;
}
