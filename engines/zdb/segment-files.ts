import { randomBytes } from "node:crypto";
import * as path from "node:path";
import type { Disk } from "./disk.ts";
import type { OpenFiles } from "./open-files.ts";
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader, segmentName } from "./segment-header.ts";

/** A fresh header for appending. */
export function newSegmentHeader(epoch: number, number: number, firstLsn: number, nextId: number, limitBytes: number): SegmentHeader {
    const salt = randomBytes(4).readUInt32LE(0);
    return { epoch, number, generation: 0, firstLsn, lastLsn: 0, nextId, createdMs: Date.now(), salt, limitBytes };
}

/** Makes a segment file with its header, both durable, and leaves nothing behind when that fails. */
export function createSegment(disk: Disk, directory: string, header: SegmentHeader): number {
    const file = path.join(directory, segmentName(header.number));
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

/** The closed segments of one log, opened for reading when one is needed. */
export class SegmentReaders {
    directory: string;

    private readonly disk: Disk;
    private readonly files: OpenFiles;
    private readonly open = new Map<number, number>();

    constructor(disk: Disk, files: OpenFiles, directory: string) {
        this.disk = disk;
        this.files = files;
        this.directory = directory;
    }

    fd(segment: number): number {
        const open = this.open.get(segment);
        if (open !== undefined) return open;
        const fd = this.disk.openForRead(path.join(this.directory, segmentName(segment)));
        this.keep(segment, fd);
        return fd;
    }

    /** Takes over a descriptor. */
    keep(segment: number, fd: number): void {
        this.open.set(segment, fd);
        this.files.opened(() => {
            if (this.open.get(segment) !== fd) return;
            this.open.delete(segment);
            this.disk.close(fd);
        });
    }

    close(): void {
        for (const fd of this.open.values()) this.disk.close(fd);
        this.open.clear();
    }
}
