import * as path from "node:path";
import type { Disk } from "./disk.ts";
import { type ReadLog, readLog } from "./log-reader.ts";
import { Namespace } from "./namespace.ts";
import { DEFAULT_NAMESPACE } from "./namespace-name.ts";
import type { NamespaceParts } from "./namespace-parts.ts";
import { createSegment, newSegmentHeader } from "./segment-files.ts";
import { segmentName } from "./segment-header.ts";
import type { Damage } from "./segment-scanner.ts";

/** Makes the log of a new namespace in an empty directory. */
export function beginNamespace(parts: NamespaceParts, name: string, directory: string): Namespace {
    const namespace = new Namespace(parts, name, directory);
    const header = newSegmentHeader(Date.now(), 0, 1, 0, namespace.segmentBytes());
    const fd = createSegment(parts.disk, directory, header);
    namespace.begin({ header, fd, endOffset: parts.disk.size(fd), lastLsn: 0, closedInOrder: false, failure: undefined });
    return namespace;
}

/** Rebuilds a namespace from its log: cuts a torn tail, and opens it read-only when the log is damaged. */
export async function openNamespace(parts: NamespaceParts, name: string, directory: string): Promise<Namespace> {
    const { disk } = parts;
    const namespace = new Namespace(parts, name, directory);
    const problems: string[] = [];
    const read = await readLog(disk, directory, {
        segment: (header) => namespace.raiseNextId(header.nextId),
        record(record, source) {
            const problem = namespace.replay(record, source);
            if (problem) problems.push(problem);
        },
    });
    const failure = failureOf(read.damage, problems);
    if (failure) {
        parts.log(`namespace ${name} is read-only: ${failure}`);
        // Fail shut: the lost records may have held the password. `default` never has one.
        if (namespace.properties.password === "" && name !== DEFAULT_NAMESPACE) {
            namespace.closedReason ??= "its log is damaged and may have lost its password";
        }
    } else mendEnd(parts, name, directory, read);

    if (!read.last) {
        const header = newSegmentHeader(0, 0, 1, 0, namespace.segmentBytes());
        const fd = disk.openForRead(directory);
        namespace.begin({ header, fd, endOffset: 0, lastLsn: 0, closedInOrder: false, failure: failure ?? "its log has no segment" });
        return namespace;
    }
    const { header } = read.last;
    const file = path.join(directory, segmentName(header.number));
    const fd = failure ? disk.openForRead(file) : disk.openForAppend(file);
    // What a killed process left in the page cache is promised from here on.
    if (!failure) disk.syncNow(fd);
    namespace.begin({ header, fd, endOffset: read.endOffset, lastLsn: read.lastLsn, closedInOrder: read.closedInOrder, failure });
    return namespace;
}

/** Cuts what a stop in the middle of a write left behind. Never called when anything is damaged. */
function mendEnd({ disk, log }: NamespaceParts, name: string, directory: string, read: ReadLog): void {
    if (read.unfinished) {
        disk.remove(path.join(directory, read.unfinished));
        disk.syncDirectory(directory);
        log(`namespace ${name}: removed segment ${read.unfinished}, which was begun and held no record`);
    }
    if (!read.last || read.tornBytes === 0) return;
    truncateFile(disk, path.join(directory, segmentName(read.last.header.number)), read.endOffset);
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

function failureOf(damage: readonly Damage[], problems: readonly string[]): string | undefined {
    const [first] = damage;
    if (first) {
        const more = damage.length > 1 ? ` and ${damage.length - 1} more places` : "";
        return `the log is damaged at ${segmentName(first.segment)} offset ${first.offset}, record ${first.expectedLsn}: ${first.why}${more}`;
    }
    return problems[0] ? `the log cannot be understood: ${problems[0]}` : undefined;
}
