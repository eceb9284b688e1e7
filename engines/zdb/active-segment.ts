import { isNoSpace } from "./disk.ts";
import type { Position } from "./key-index.ts";
import type { LogEnd, LogParts } from "./log-owner.ts";
import { createSegment, SegmentReaders } from "./segment-files.ts";
import { SEGMENT_HEADER_BYTES, type SegmentHeader } from "./segment-header.ts";

/** The files of one log: the segment that is appended to, and the closed ones before it for reading. */
export class ActiveSegment {
    /** Where the next batch goes. */
    endOffset: number;
    private readonly parts: LogParts;
    private readonly readers: SegmentReaders;
    private current: SegmentHeader;
    private fd: number;

    constructor(parts: LogParts, end: LogEnd) {
        this.parts = parts;
        this.readers = new SegmentReaders(parts.disk, parts.files, parts.directory);
        this.current = end.header;
        this.fd = end.fd;
        this.endOffset = end.endOffset;
    }

    get header(): SegmentHeader {
        return this.current;
    }

    /** The directory was moved: a new namespace is made elsewhere. */
    moveTo(directory: string): void {
        this.readers.directory = directory;
    }

    /** Writes at the end, `tail` behind `buffer`. When it throws, a part may be in the file: see `takeBack`. */
    append(buffer: Buffer, length: number, tail: Uint8Array, holdsValues: boolean): void {
        const { disk } = this.parts;
        this.withReserve(holdsValues, () => {
            disk.write(this.fd, buffer, 0, length, this.endOffset);
            if (tail.length > 0) disk.write(this.fd, tail as Buffer, 0, tail.length, this.endOffset + length);
        });
        this.endOffset += length + tail.length;
    }

    /** Removes what an append that failed left behind the end. */
    takeBack(): void {
        this.parts.disk.truncate(this.fd, this.endOffset);
    }

    sync(): Promise<void> {
        return this.parts.disk.sync(this.fd);
    }

    syncNow(): void {
        this.parts.disk.syncNow(this.fd);
    }

    /** Begins the next segment; the one before must be synced. */
    begin(header: SegmentHeader, forValue: boolean): void {
        const fd = this.withReserve(forValue, () => createSegment(this.parts.disk, this.readers.directory, header));
        this.readers.keep(this.current.number, this.fd);
        this.fd = fd;
        this.current = header;
        this.endOffset = SEGMENT_HEADER_BYTES;
    }

    /** Reads a payload of any segment into `target`; false when the file ends before it. Throws what the disk throws. */
    read({ segment, length, offset }: Position, target: Buffer, at: number): boolean {
        const fd = segment === this.current.number ? this.fd : this.readers.fd(segment);
        return this.parts.disk.read(fd, target, at, length, offset) === length;
    }

    close(): void {
        this.readers.close();
        this.parts.disk.close(this.fd);
    }

    /** Runs a write; when the disk is full and only small records are at stake, gives up reserve for them. */
    private withReserve<T>(holdsValues: boolean, write: () => T): T {
        for (;;) {
            try {
                return write();
            } catch (error) {
                if (holdsValues || !isNoSpace(error) || !this.parts.space.giveUp()) throw error;
            }
        }
    }
}
