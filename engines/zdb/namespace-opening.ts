import * as path from "node:path";
import { StoredCheckpoint, UnusableCheckpoint } from "./checkpoint-reader.ts";
import { type Disk, errorCode } from "./disk.ts";
import { READ_STEP_BYTES } from "./limits.ts";
import { type ReadLog, readLog } from "./log-reader.ts";
import { LostRecords } from "./lost-records.ts";
import { type Knowledge, Namespace } from "./namespace.ts";
import { DEFAULT_NAMESPACE } from "./namespace-name.ts";
import type { NamespaceParts } from "./namespace-parts.ts";
import { iterationOf } from "./namespace-reading.ts";
import { payloadChecksum, RECORD_KINDS } from "./record.ts";
import { DamagedBlock } from "./record-blocks.ts";
import { Unreadable } from "./record-reader.ts";
import type { Segment } from "./segment.ts";
import { createSegment, newSegmentHeader } from "./segment-files.ts";
import { segmentName } from "./segment-header.ts";
import type { Sidecars } from "./sidecars.ts";

/** Makes the log of a new namespace in an empty directory. */
export function beginNamespace(parts: NamespaceParts, name: string, directory: string): Namespace {
    const namespace = new Namespace(parts, name, directory);
    const header = newSegmentHeader(Date.now(), 0, 1, 0, namespace.segmentBytes());
    const fd = createSegment(parts.disk, directory, header);
    const segment = namespace.segments.add(header, parts.disk.size(fd));
    namespace.begin({ segment, fd, lastLsn: 0, closedInOrder: false, failure: undefined });
    return namespace;
}

/** What the log of a namespace told. */
interface Replayed {
    readonly namespace: Namespace;
    readonly read: ReadLog;
    readonly problems: readonly string[];
    readonly lost: LostRecords;
}

/** Rebuilds a namespace from its log: cuts a torn tail, and opens it read-only when the log is damaged. */
export async function openNamespace(parts: NamespaceParts, name: string, directory: string): Promise<Namespace> {
    const { namespace, ...replayed } = await replay(parts, name, directory);
    try {
        begin(parts, namespace, replayed);
        return namespace;
    } catch (error) {
        // Opening is tried again: what stays open now would be missing then.
        namespace.segments.close();
        namespace.sidecars.closeAll();
        throw error;
    }
}

/** The namespace as its log alone tells it, to be looked at. Nothing is changed on disk, and nothing can be appended. */
export async function readNamespaceFromLog(parts: NamespaceParts, name: string, directory: string): Promise<Namespace> {
    return (await replayLog(parts, new Namespace(parts, name, directory), {})).namespace;
}

/** The same from the checkpoint of its index; undefined when there is none that can be used. */
export async function readNamespaceFromCheckpoint(parts: NamespaceParts, name: string, directory: string): Promise<Namespace | undefined> {
    return (await replayFromCheckpoint(parts, name, directory))?.namespace;
}

/** The same from whatever is fastest, and why a server would not write to it. */
export async function readNamespace(
    parts: NamespaceParts,
    name: string,
    directory: string,
): Promise<{ readonly namespace: Namespace; readonly failure: string | undefined }> {
    const { namespace, read, problems } = await replay(parts, name, directory);
    return { namespace, failure: failureOf(read, problems) };
}

/** From what makes it fastest: a checkpoint of the index, then the sidecars. What is wrong with the log itself is judged by the log alone. */
async function replay(parts: NamespaceParts, name: string, directory: string): Promise<Replayed> {
    const quickly = (await replayFromCheckpoint(parts, name, directory)) ?? (await replayFromSidecars(parts, name, directory));
    return quickly ?? (await replayLog(parts, new Namespace(parts, name, directory), {}));
}

async function replayFromCheckpoint(parts: NamespaceParts, name: string, directory: string): Promise<Replayed | undefined> {
    const namespace = new Namespace(parts, name, directory);
    let checkpoint: StoredCheckpoint | undefined;
    try {
        checkpoint = StoredCheckpoint.open(parts.disk, namespace.sidecars.directory);
        if (!checkpoint) return undefined;
        const replayed = await replayLog(parts, namespace, { sidecars: namespace.sidecars, checkpoint });
        readHeldProperties(namespace, checkpoint);
        const { read, problems } = replayed;
        if (read.damage.length > 0 || problems.length > 0) throw new UnusableCheckpoint("the log is damaged");
        if (read.lastLsn < checkpoint.header.endLsn) throw new UnusableCheckpoint("the log ends before it");
        namespace.checkpoint.begun(0);
        return replayed;
    } catch (error) {
        namespace.segments.close();
        namespace.sidecars.closeAll();
        const why = error instanceof UnusableCheckpoint ? error.message : errorCode(error);
        parts.log(`namespace ${name}: the checkpoint of its index is not used: ${why}`);
        return undefined;
    } finally {
        checkpoint?.close();
    }
}

async function replayFromSidecars(parts: NamespaceParts, name: string, directory: string): Promise<Replayed | undefined> {
    const namespace = new Namespace(parts, name, directory);
    try {
        const replayed = await replayLog(parts, namespace, { sidecars: namespace.sidecars });
        if (replayed.read.damage.length === 0 && replayed.problems.length === 0) return replayed;
        namespace.segments.close();
        return undefined;
    } catch (error) {
        namespace.segments.close();
        if (error instanceof DamagedBlock || error instanceof Unreadable) return undefined;
        throw error;
    }
}

async function replayLog(parts: NamespaceParts, namespace: Namespace, from: ReplaySource): Promise<Replayed> {
    const { sidecars, checkpoint } = from;
    const { fromLsn, endLsn } = checkpoint?.header ?? { fromLsn: 0, endLsn: 0 };
    const problems: string[] = [];
    const lost = new LostRecords();
    const knowledge = (lsn: number): Knowledge => {
        if (lsn <= fromLsn) return "held";
        return lsn <= endLsn || lost.hasGaps ? "vague" : "exact";
    };
    try {
        const read = await readLog(
            { disk: parts.disk, segments: namespace.segments, sidecars, checkpoint, power: parts.power },
            {
                async begin() {
                    if (!checkpoint) return;
                    const fits = await namespace.restore(checkpoint.header, (restore) => checkpoint.readPages(restore));
                    if (!fits) throw new UnusableCheckpoint("its pages do not fit together");
                },
                segment(header) {
                    if (header.generation > 0) lost.rewritten(header.firstLsn, header.lastLsn);
                    namespace.raiseNextId(header.nextId);
                },
                held: ({ header, lastLsn }) => lost.rewritten(header.firstLsn, lastLsn),
                record(record, source) {
                    lost.saw(record.head);
                    const problem = namespace.replay(record, source, knowledge(record.head.lsn));
                    if (problem) problems.push(problem);
                },
            },
        );
        namespace.checkpoint.begun(namespace.segments.totalBytes);
        return { namespace, read, problems, lost };
    } catch (error) {
        namespace.segments.close();
        throw error;
    }
}

/** What a log is read from besides its segments. */
interface ReplaySource {
    readonly sidecars?: Sidecars;
    readonly checkpoint?: StoredCheckpoint;
}

/** Properties whose last record is in a segment that was not read. */
function readHeldProperties(namespace: Namespace, { header, tables }: StoredCheckpoint): void {
    const iteration = iterationOf(namespace);
    for (const lsn of [...tables.propertyLsns].sort((a, b) => a - b)) {
        if (lsn > header.fromLsn) continue;
        const found = iteration.find(lsn);
        const head = found?.cursor.head(found.segment.header.salt);
        if (!found || head?.kind !== RECORD_KINDS.property) throw new UnusableCheckpoint("a property is not where it was");
        const { cursor, segment } = found;
        if (namespace.propertyWasRead(cursor.key.toString("latin1"), lsn)) continue;
        const payload = Buffer.alloc(head.payloadLength);
        const isRead = namespace.readAt(segment, cursor.offset + cursor.bytes - payload.length, payload);
        const isSound = isRead && payloadChecksum(payload) === head.payloadChecksum;
        const problem = namespace.replayProperty({ head, key: cursor.key }, isSound ? payload : undefined);
        if (problem) throw new UnusableCheckpoint(problem);
    }
}

/** Judges what was read, and makes the log ready to be appended to. */
function begin(parts: NamespaceParts, namespace: Namespace, { read, problems, lost }: Omit<Replayed, "namespace">): void {
    const { disk } = parts;
    const { name, directory } = namespace;
    const failure = failureOf(read, problems);
    if (failure) {
        parts.log(`namespace ${name} is read-only: ${failure}`);
        // Fail shut: what is lost may have said who may come in. `default` is open to whoever reaches it, never with a password.
        if (name !== DEFAULT_NAMESPACE && (problems.length > 0 || mayLackProperties(read, lost))) {
            namespace.closedReason ??= "its log is damaged and may have lost its password or that it is private";
        }
    } else mendEnd(parts, name, directory, read);
    // A killed server may have left names that are not on disk: what is served from here on must not be lost with them.
    disk.syncDirectory(directory);

    if (!read.last) {
        const header = newSegmentHeader(0, 0, 1, 0, namespace.segmentBytes());
        const fd = disk.openForRead(directory);
        namespace.begin({ segment: namespace.segments.add(header, 0), fd, lastLsn: 0, closedInOrder: false, failure });
        return;
    }
    const file = path.join(directory, segmentName(read.last.header.number));
    const fd = failure ? disk.openForRead(file) : disk.openForAppend(file);
    try {
        // What a killed process left in the page cache is promised from here on.
        if (!failure) {
            writeAgain(disk, fd, read.last, read.syncedLsn);
            disk.syncNow(fd);
        }
    } catch (error) {
        disk.close(fd);
        throw error;
    }
    namespace.begin({ segment: read.last, fd, lastLsn: read.lastLsn, closedInOrder: read.closedInOrder, failure });
}

/** Cuts what a stop in the middle of a write left behind. Never called when anything is damaged. */
function mendEnd({ disk, log }: NamespaceParts, name: string, directory: string, read: ReadLog): void {
    // Not before what stands for them is sure to keep its name: a log must not come back in parts.
    if (read.leftovers.length > 0) disk.syncDirectory(directory);
    for (const leftover of read.leftovers) disk.remove(path.join(directory, leftover));
    if (read.unfinished) {
        disk.remove(path.join(directory, read.unfinished));
        log(`namespace ${name}: removed segment ${read.unfinished}, which was begun and held no record`);
    }
    if (!read.last || read.tornBytes === 0) return;
    truncateFile(disk, path.join(directory, segmentName(read.last.header.number)), read.last.endOffset);
    log(`namespace ${name}: cut ${read.tornBytes} bytes of an unfinished write after record ${read.lastLsn}`);
}

/**
 * What was not known to be synced is written over itself: after a sync that failed the system takes for clean what never reached the disk,
 * and the next sync would say yes without writing it. A mark at the end is of no help: its own sync may be the one that failed.
 */
function writeAgain(disk: Disk, fd: number, { header, marks, endOffset }: Segment, syncedLsn: number): void {
    const piece = Buffer.allocUnsafe(READ_STEP_BYTES);
    // The header too, unless a record behind it was synced with it.
    const from = marks?.count && syncedLsn >= header.firstLsn ? marks.offset(marks.find(syncedLsn + 1)) : 0;
    for (let at = from; at < endOffset; at += piece.length) {
        const length = disk.read(fd, piece, 0, Math.min(piece.length, endOffset - at), at);
        disk.write(fd, piece, 0, length, at);
    }
}

function truncateFile(disk: Disk, file: string, length: number): void {
    const fd = disk.openForAppend(file);
    try {
        disk.truncate(fd, length);
        disk.syncNow(fd);
    } finally {
        disk.close(fd);
    }
}

function failureOf({ damage, last }: ReadLog, problems: readonly string[]): string | undefined {
    const [first] = damage;
    if (first) {
        const more = damage.length > 1 ? ` and ${damage.length - 1} more places` : "";
        return `the log is damaged at ${segmentName(first.segment)} offset ${first.offset}, record ${first.expectedLsn}: ${first.why}${more}`;
    }
    if (problems[0]) return `the log cannot be understood: ${problems[0]}`;
    return last ? undefined : "its log has no segment";
}

/** Whether a damaged log may have held a property that cannot be read any more: behind an unreadable header or end, or among lost records. */
function mayLackProperties({ damage, last, lastLsn, tornBytes }: ReadLog, lost: LostRecords): boolean {
    if (!last || tornBytes > 0 || damage.some(({ expectedLsn }) => expectedLsn === 0)) return true;
    return !lost.wereValues(lastLsn + 1);
}
