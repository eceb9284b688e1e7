import * as path from "node:path";
import type { Disk } from "./disk.ts";
import { RECORD_HEAD_BYTES, type RecordHead, writeHead } from "./record.ts";
import { encodeSegmentHeader, type SegmentHeader, segmentName, unfinishedName } from "./segment-header.ts";

const BUFFER_BYTES = 1024 * 1024;

/** Writes a whole segment under a name that means nothing until it is durable. Throws what the disk throws. */
export class SegmentWriter {
    private readonly disk: Disk;
    private readonly directory: string;
    private readonly header: SegmentHeader;
    private readonly file: string;
    private fd: number | undefined;
    private readonly buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    private used = 0;
    private written = 0;

    constructor(disk: Disk, directory: string, header: SegmentHeader) {
        this.disk = disk;
        this.directory = directory;
        this.header = header;
        this.file = path.join(directory, unfinishedName(header.number));
        disk.remove(this.file);
        this.fd = disk.create(this.file);
        this.put(encodeSegmentHeader(header));
    }

    /** Adds a record, its payload in pieces. All of the file is on disk before it gets its name, so nothing before it is unsynced. */
    add(head: RecordHead, key: Uint8Array, payload: Iterable<Uint8Array>): void {
        this.makeRoom(RECORD_HEAD_BYTES + key.length);
        this.used += writeHead(this.buffer, this.used, { ...head, unsynced: 0 }, key, this.header.salt);
        for (const piece of payload) this.put(piece);
    }

    /** Brings it to disk; it has no name yet. */
    finish(): void {
        const { fd } = this;
        if (fd === undefined) throw new Error("a segment is finished twice");
        this.flush();
        this.disk.syncNow(fd);
        this.disk.close(fd);
        this.fd = undefined;
    }

    /** Gives it its name, in place of the file that has it. */
    takePlace(): void {
        this.disk.rename(this.file, path.join(this.directory, segmentName(this.header.number)));
        this.disk.syncDirectory(this.directory);
    }

    abandon(): void {
        if (this.fd !== undefined) this.disk.close(this.fd);
        this.fd = undefined;
        this.disk.remove(this.file);
    }

    private put(bytes: Uint8Array): void {
        for (let done = 0; done < bytes.length; ) {
            if (this.used === BUFFER_BYTES) this.flush();
            const piece = bytes.subarray(done, done + BUFFER_BYTES - this.used);
            this.buffer.set(piece, this.used);
            this.used += piece.length;
            done += piece.length;
        }
    }

    private makeRoom(length: number): void {
        if (this.used + length > BUFFER_BYTES) this.flush();
    }

    private flush(): void {
        if (this.used === 0 || this.fd === undefined) return;
        this.disk.write(this.fd, this.buffer, 0, this.used, this.written);
        this.written += this.used;
        this.used = 0;
    }
}
