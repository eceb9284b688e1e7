import * as path from "node:path";
import type { Disk } from "./disk.ts";
import { type ReadLog, readLog } from "./log-reader.ts";
import { LostRecords } from "./lost-records.ts";
import { Namespace } from "./namespace.ts";
import { DEFAULT_NAMESPACE } from "./namespace-name.ts";
import type { NamespaceParts } from "./namespace-parts.ts";
import { createSegment, newSegmentHeader } from "./segment-files.ts";
import { segmentName } from "./segment-header.ts";

/** Makes the log of a new namespace in an empty directory. */
export function beginNamespace(parts: NamespaceParts, name: string, directory: string): Namespace {
    const namespace = new Namespace(parts, name, directory);
    const header = newSegmentHeader(Date.now(), 0, 1, 0, namespace.segmentBytes());
    const fd = createSegment(parts.disk, directory, header);
    const segment = namespace.segments.add(header, parts.disk.size(fd));
    namespace.begin({ segment, fd, lastLsn: 0, closedInOrder: false, failure: undefined });
    return namespace;
}

/** Rebuilds a namespace from its log: cuts a torn tail, and opens it read-only when the log is damaged. */
export async function openNamespace(parts: NamespaceParts, name: string, directory: string): Promise<Namespace> {
    const namespace = new Namespace(parts, name, directory);
    try {
        await readNamespace(parts, namespace);
        return namespace;
    } catch (error) {
        // Opening is tried again: what stays open now would be missing then.
        namespace.segments.close();
        throw error;
    }
}

async function readNamespace(parts: NamespaceParts, namespace: Namespace): Promise<void> {
    const { disk } = parts;
    const { name, directory } = namespace;
    const problems: string[] = [];
    const lost = new LostRecords();
    const read = await readLog(disk, namespace.segments, {
        segment(header) {
            if (header.generation > 0) lost.rewritten(header.firstLsn, header.lastLsn);
            namespace.raiseNextId(header.nextId);
        },
        record(record, source) {
            lost.saw(record.head);
            const problem = namespace.replay(record, source, lost.hasGaps);
            if (problem) problems.push(problem);
        },
    });
    const failure = failureOf(read, problems);
    if (failure) {
        parts.log(`namespace ${name} is read-only: ${failure}`);
        // Fail shut: what is lost may have said who may come in. `default` is open to whoever reaches it, never with a password.
        if (name !== DEFAULT_NAMESPACE && (problems.length > 0 || mayLackProperties(read, lost))) {
            namespace.closedReason ??= "its log is damaged and may have lost its password or that it is private";
        }
    } else mendEnd(parts, name, directory, read);

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
        if (!failure) disk.syncNow(fd);
    } catch (error) {
        disk.close(fd);
        throw error;
    }
    namespace.begin({ segment: read.last, fd, lastLsn: read.lastLsn, closedInOrder: read.closedInOrder, failure });
}

/** Cuts what a stop in the middle of a write left behind. Never called when anything is damaged. */
function mendEnd({ disk, log }: NamespaceParts, name: string, directory: string, read: ReadLog): void {
    for (const leftover of read.leftovers) disk.remove(path.join(directory, leftover));
    if (read.leftovers.length > 0) disk.syncDirectory(directory);
    if (read.unfinished) {
        disk.remove(path.join(directory, read.unfinished));
        disk.syncDirectory(directory);
        log(`namespace ${name}: removed segment ${read.unfinished}, which was begun and held no record`);
    }
    if (!read.last || read.tornBytes === 0) return;
    truncateFile(disk, path.join(directory, segmentName(read.last.header.number)), read.last.endOffset);
    log(`namespace ${name}: cut ${read.tornBytes} bytes of an unfinished write after record ${read.lastLsn}`);
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
