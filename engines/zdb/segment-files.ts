import { randomBytes } from "node:crypto";
import * as path from "node:path";
import type { Disk } from "./disk.ts";
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader, segmentName } from "./segment-header.ts";

/** A fresh header for appending. */
export function newSegmentHeader(epoch: number, number: number, firstLsn: number, nextId: number, limitBytes: number): SegmentHeader {
    const salt = randomBytes(4).readUInt32LE(0);
    const createdMs = Date.now();
    const asAppended = { generation: 0, lastLsn: 0, cleanLsn: 0, keptBytes: 0, historyBytes: 0 };
    return { epoch, number, firstLsn, nextId, createdMs, salt, limitBytes, ...asAppended };
}

/** Makes a segment file with its header, both durable, and leaves nothing behind when that fails. */
export function createSegment(disk: Disk, directory: string, header: SegmentHeader): number {
    const file = path.join(directory, segmentName(header.number));
    removeVain(disk, file);
    const fd = disk.create(file);
    try {
        disk.write(fd, encodeSegmentHeader(header), 0, SEGMENT_HEADER_BYTES, 0);
        disk.syncNow(fd);
        disk.syncDirectory(directory);
        return fd;
    } catch (error) {
        disk.close(fd);
        disk.remove(file);
        throw error;
    }
}

/** One that was made before, and could neither be brought to the disk nor removed: it holds no record. */
function removeVain(disk: Disk, file: string): void {
    if (!disk.exists(file)) return;
    const fd = disk.openForRead(file);
    let size = 0;
    try {
        size = disk.size(fd);
    } finally {
        disk.close(fd);
    }
    if (size <= SEGMENT_HEADER_BYTES) disk.remove(file);
}
