import * as path from "node:path";
import type { DiskReader } from "./disk.ts";
import { recoverHeader } from "./header-recovery.ts";
import { isCurrent, openSegments } from "./log-reader.ts";
import { isOfLaterVersion, segmentName } from "./segment-header.ts";
import type { StoredSegment } from "./stored-segment.ts";
import type { StoredSidecars } from "./stored-sidecars.ts";
import type { UnreadableSegment } from "./survey.ts";

/** A segment file, and whether its header is its own, or had to be told by its sidecar or by its records. */
export interface FoundSegment extends StoredSegment {
    readonly hasHeader: boolean;
}

export interface FoundSegments {
    /** In the order of their LSNs, open for reading. */
    readonly segments: readonly FoundSegment[];
    readonly unreadable: readonly UnreadableSegment[];
    readonly leftovers: readonly string[];
}

/** All segments of a directory, also those whose header is damaged and known otherwise. The caller closes them. */
export function findSegments(disk: DiskReader, directory: string, sidecars: StoredSidecars): FoundSegments {
    const { segments, damage, leftovers, unfinished } = openSegments(disk, directory);
    const found: FoundSegment[] = segments.map((segment) => ({ ...segment, hasHeader: true }));
    const unreadable: UnreadableSegment[] = [];
    for (const { segment: number, why } of damage) {
        const fd = disk.openForRead(path.join(directory, segmentName(number)));
        const epoch = found[0]?.header.epoch;
        const header = isOfLaterVersion(why)
            ? undefined
            : (sidecars.headerOf(number, epoch) ?? recoverHeader(disk, fd, number, epoch ?? Date.now()));
        const end = disk.size(fd);
        if (header) {
            found.push({ header, fd, end, hasHeader: false });
            continue;
        }
        disk.close(fd);
        unreadable.push({ number, why, isOfLaterVersion: isOfLaterVersion(why), bytes: end });
    }
    found.sort((a, b) => a.header.firstLsn - b.header.firstLsn);
    const current = found.filter((segment) => isCurrent(segment, found));
    const past = found.filter((segment) => !current.includes(segment));
    for (const { fd } of past) disk.close(fd);
    const pastNames = past.map(({ header }) => segmentName(header.number));
    return { segments: current, unreadable, leftovers: [...leftovers, ...pastNames, ...(unfinished ? [unfinished] : [])] };
}
