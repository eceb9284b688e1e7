import * as path from "node:path";
import { setImmediate } from "node:timers/promises";
import { mismatch } from "./checkpoint.ts";
import { type StoredCheckpoint, UnusableCheckpoint } from "./checkpoint-reader.ts";
import type { Disk, DiskReader } from "./disk.ts";
import { endOfPromised, endOfSoundPayloads } from "./log-tail.ts";
import type { Power } from "./power.ts";
import { RECORD_KINDS } from "./record.ts";
import { RecordCursor } from "./record-blocks.ts";
import type { Segment } from "./segment.ts";
import {
    decodeSegmentHeader,
    isUnfinishedFile,
    SEGMENT_HEADER_BYTES,
    type SegmentHeader,
    segmentName,
    segmentNumber,
} from "./segment-header.ts";
import { type Damage, type ScannedRecord, SegmentScanner } from "./segment-scanner.ts";
import type { Segments } from "./segments.ts";
import type { OpenedSidecar, Sidecars } from "./sidecars.ts";
import { type RecordSource, type StoredSegment, sourceOf } from "./stored-segment.ts";

/** A long log is read in slices of about this time, so that a running server answers meanwhile. */
const SLICE_MS = 5;
const RECORDS_BETWEEN_CLOCK_READS = 256;

export interface ReadLog {
    /** The segment to append to, up to its last good record; undefined when there is none that can be. */
    readonly last: Segment | undefined;
    readonly lastLsn: number;
    readonly closedInOrder: boolean;
    /** Everything up to here is known to have been synced when it was written. */
    readonly syncedLsn: number;
    readonly tornBytes: number;
    /** A segment file that was only begun when the machine stopped; it holds no record. */
    readonly unfinished: string | undefined;
    /** Files that a stop left behind and others stand for: of an older epoch, or rewritten. */
    readonly leftovers: readonly string[];
    readonly damage: readonly Damage[];
}

export interface LogVisitor {
    /** The segments that a checkpoint names are in the table. */
    begin(): Promise<void>;
    segment(header: SegmentHeader): void;
    record(record: ScannedRecord, source: RecordSource): void;
    /** The records of this segment are in the index of the checkpoint; they were not read. */
    held(segment: Segment): void;
}

/** What a log is read with besides its segments. */
export interface ReadingParts {
    readonly disk: Disk;
    readonly segments: Segments;
    /** Records of closed segments are read from their sidecars; undefined: from the segments. */
    readonly sidecars: Sidecars | undefined;
    /** An index that holds what is before it. Reading throws an UnusableCheckpoint when it does not belong to the log. */
    readonly checkpoint: StoredCheckpoint | undefined;
    /** undefined: what was written is there, synced or not. */
    readonly power: Power | undefined;
}

/** Reads a whole log in order of LSNs, hands it to the visitor, and judges its end. Changes nothing on disk. */
export async function readLog(parts: ReadingParts, visitor: LogVisitor): Promise<ReadLog> {
    const opened = openSegments(parts.disk, parts.segments.directory);
    try {
        if (parts.checkpoint) expectSegments(parts.checkpoint, opened, parts.segments);
        await visitor.begin();
        return await readSegments(parts, opened, visitor);
    } finally {
        for (const { fd } of opened.segments) parts.disk.close(fd);
    }
}

/** The segment files of a directory, open for reading. */
export interface OpenedSegments {
    readonly segments: StoredSegment[];
    readonly damage: Damage[];
    readonly unfinished: string | undefined;
    readonly leftovers: readonly string[];
}

/** Gives the segments the ids that the index of a checkpoint knows them by. */
function expectSegments({ header, tables }: StoredCheckpoint, { segments, damage }: OpenedSegments, table: Segments): void {
    const why = damage[0] ? "the log is damaged" : mismatch(header, tables, segments);
    if (why !== undefined) throw new UnusableCheckpoint(why);
    for (const [place, { id }] of tables.segments.entries()) {
        const stored = segments[place];
        if (stored) table.add(stored.header, SEGMENT_HEADER_BYTES, id);
    }
}

async function readSegments(parts: ReadingParts, opened: OpenedSegments, visitor: LogVisitor): Promise<ReadLog> {
    const { disk, segments: table, sidecars, checkpoint } = parts;
    const endOf = parts.power?.mayHaveBeenLost ? endOfPromised : endOfSoundPayloads;
    const { segments, damage, unfinished, leftovers } = opened;
    const slice = new Slice();
    let expectedLsn = 1;
    let closedInOrder = false;
    let syncedLsn = 0;
    let tornBytes = 0;
    for (const [place, segment] of segments.entries()) {
        const { header, fd } = segment;
        visitor.segment(header);
        const isLast = place === segments.length - 1;
        if (header.firstLsn !== expectedLsn) {
            damage.push({ segment: header.number, offset: 0, expectedLsn, why: "the records before this segment are missing" });
        }
        const entry = table.all[place] ?? table.add(header, SEGMENT_HEADER_BYTES);
        const sidecar = isLast ? undefined : fittingSidecar(disk, sidecars, segment);
        try {
            if (sidecar) {
                entry.listed(segment.end, sidecar.header.lastLsn);
                const source = sourceOf(disk, segment, entry.id);
                if (checkpoint && entry.lastLsn <= checkpoint.header.fromLsn) visitor.held(entry);
                else await readSidecar(sidecar, (record) => visitor.record(record, source), slice);
                expectedLsn = Math.max(entry.lastLsn, header.lastLsn) + 1;
                continue;
            }
        } finally {
            if (sidecar) disk.close(sidecar.fd);
        }
        const end = isLast && damage.length === 0 ? endOf(disk, segment, checkpoint) : segment.end;
        const scanner = new SegmentScanner(disk, fd, end, header);
        const source = sourceOf(disk, segment, entry.id);
        for (let record = scanner.next(); record; record = scanner.next()) {
            closedInOrder = record.head.kind === RECORD_KINDS.mark;
            syncedLsn = Math.max(syncedLsn, record.head.lsn - 1 - record.head.unsynced);
            entry.saw(record.head.lsn, record.offset, scanner.validEnd);
            visitor.record(record, source);
            if (slice.isOver()) await slice.pause();
        }
        damage.push(...scanner.damage);
        const { endOffset: offset } = entry;
        expectedLsn = Math.max(scanner.expectedLsn, header.lastLsn + 1);
        if (offset < segment.end) {
            closedInOrder = false;
            if (isLast) tornBytes = segment.end - offset;
            else damage.push({ segment: header.number, offset, expectedLsn, why: "the end of a closed segment is unreadable" });
        }
    }
    return { last: table.all.at(-1), lastLsn: expectedLsn - 1, closedInOrder, syncedLsn, tornBytes, unfinished, leftovers, damage };
}

/** Throws what the disk throws, or a DamagedBlock. */
async function readSidecar({ blocks }: OpenedSidecar, visit: (record: ScannedRecord) => void, slice: Slice): Promise<void> {
    for (let place = 0; place < blocks.count; place++) {
        for (const cursor = new RecordCursor(blocks.read(place)); !cursor.isAtEnd; cursor.step()) {
            visit(cursor.record);
            if (slice.isOver()) await slice.pause();
        }
    }
}

/** The sidecar of the whole of a segment; the caller closes it. */
function fittingSidecar(disk: DiskReader, sidecars: Sidecars | undefined, { header, end }: StoredSegment): OpenedSidecar | undefined {
    const found = sidecars?.find(header);
    if (!found || found.header.endOffset === end) return found;
    disk.close(found.fd);
    return undefined;
}

/** The caller closes the descriptors. */
export function openSegments(disk: DiskReader, directory: string): OpenedSegments {
    const segments: StoredSegment[] = [];
    try {
        return readHeaders(disk, directory, segments);
    } catch (error) {
        // Opening is tried again: what stays open now would be missing then.
        for (const { fd } of segments) disk.close(fd);
        throw error;
    }
}

function readHeaders(disk: DiskReader, directory: string, segments: StoredSegment[]): OpenedSegments {
    const names = disk.list(directory);
    const numbers = names.flatMap((name) => segmentNumber(name) ?? []);
    numbers.sort((a, b) => a - b);
    const damage: Damage[] = [];
    let unfinished: string | undefined;
    for (const number of numbers) {
        const { header, fd, end } = readHeader(disk, path.join(directory, segmentName(number)));
        if (!("problem" in header)) {
            segments.push({ header, fd, end });
            continue;
        }
        disk.close(fd);
        if (segments.length > 0 && number === numbers.at(-1) && end <= SEGMENT_HEADER_BYTES) unfinished = segmentName(number);
        else damage.push({ segment: number, offset: 0, expectedLsn: 0, why: header.problem });
    }
    segments.sort((a, b) => a.header.firstLsn - b.header.firstLsn);
    const current = segments
        .filter((segment) => isCurrent(segment, segments))
        .filter((segment, place, all) => !wasGivenUp(disk, segment, all[place - 1]));
    const past = segments.filter((segment) => !current.includes(segment));
    for (const { fd } of past) disk.close(fd);
    const leftovers = [...names.filter(isUnfinishedFile), ...past.map(({ header }) => segmentName(header.number))];
    return { segments: current, damage, unfinished, leftovers };
}

function readHeader(disk: DiskReader, file: string) {
    const fd = disk.openForRead(file);
    try {
        const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
        const header = decodeSegmentHeader(bytes.subarray(0, disk.read(fd, bytes, 0, SEGMENT_HEADER_BYTES, 0)));
        return { header, fd, end: disk.size(fd) };
    } catch (error) {
        disk.close(fd);
        throw error;
    }
}

/** Segments of an older epoch are what is left of a namespace that was emptied, those in the range of a rewritten one what it stands for. */
export function isCurrent({ header }: StoredSegment, segments: readonly StoredSegment[]): boolean {
    return !segments.some(({ header: other }) => {
        if (other.epoch !== header.epoch) return other.epoch > header.epoch;
        return other.generation > header.generation && header.firstLsn >= other.firstLsn && header.firstLsn <= other.lastLsn;
    });
}

/**
 * A segment could be made but not brought to the disk, so its file was removed and the log went on in the one before: a power loss brought
 * the file back.
 */
function wasGivenUp(disk: DiskReader, { header, end }: StoredSegment, before: StoredSegment | undefined): boolean {
    if (!before || header.generation > 0 || end > SEGMENT_HEADER_BYTES) return false;
    const scanner = new SegmentScanner(disk, before.fd, before.end, before.header);
    for (let record = scanner.next(); record; record = scanner.next()) if (record.head.lsn >= header.firstLsn) return true;
    // What the log went on with is torn: behind all that was on the disk when the file was made.
    return scanner.expectedLsn === header.firstLsn && scanner.validEnd < before.end;
}

/** Counts records and tells when the event loop should have its turn. */
class Slice {
    private startedMs = performance.now();
    private records = 0;

    isOver(): boolean {
        this.records++;
        return this.records % RECORDS_BETWEEN_CLOCK_READS === 0 && performance.now() - this.startedMs > SLICE_MS;
    }

    async pause(): Promise<void> {
        await setImmediate();
        this.startedMs = performance.now();
    }
}
