import type { Disk } from "./disk.ts";
import { READ_STEP_BYTES } from "./limits.ts";
import { LsnMarks } from "./lsn-marks.ts";
import { RECORD_HEAD_BYTES, type RecordHead, writeHead } from "./record.ts";
import type { Segment } from "./segment.ts";
import { encodeSegmentHeader, type SegmentHeader } from "./segment-header.ts";
import type { SidecarWriter } from "./sidecar-writer.ts";
import type { Sidecars } from "./sidecars.ts";

export interface RewrittenParts {
    readonly disk: Disk;
    readonly sidecars: Sidecars;
    /** After this error of a write: frees room on a full disk; false when that is not what is wrong, or there is none. */
    giveUpReserve(error: unknown): boolean;
}

/** The file that a rewriting fills, with its sidecar, until it takes the place of others. Throws what the disk throws. */
export class RewrittenSegment {
    private readonly parts: RewrittenParts;
    private readonly file: string;
    private readonly salt: number;
    private readonly marks = new LsnMarks();
    private readonly output = Buffer.allocUnsafe(READ_STEP_BYTES);
    private fd: number | undefined;
    private sidecar: SidecarWriter | undefined;
    private used = 0;
    private written = 0;

    constructor(parts: RewrittenParts, file: string, header: SegmentHeader) {
        this.parts = parts;
        this.file = file;
        this.salt = header.salt;
        parts.disk.remove(file);
        this.fd = parts.disk.create(file);
        this.sidecar = this.beginSidecar(header.number);
        this.put(encodeSegmentHeader(header));
    }

    get endOffset(): number {
        return this.written + this.used;
    }

    /** Begins a record; what is before it is synced by the time that the file has its name. */
    begin(read: RecordHead, key: Buffer): void {
        const length = RECORD_HEAD_BYTES + read.keyLength;
        this.makeRoom(length);
        writeHead(this.output, this.used, { ...read, unsynced: 0 }, key, this.salt);
        this.list(read.lsn, length);
        this.marks.saw(read.lsn, this.endOffset);
        this.used += length;
    }

    /** How much of a payload is to be put at once, one byte at least. */
    get room(): number {
        if (this.used === this.output.length) this.flush();
        return this.output.length - this.used;
    }

    put(bytes: Buffer): void {
        this.makeRoom(bytes.length);
        this.used += bytes.copy(this.output, this.used);
    }

    /** Brings it to disk, with the header that is known only now. */
    async finish(header: SegmentHeader): Promise<void> {
        this.flush();
        if (this.fd === undefined) return;
        const bytes = encodeSegmentHeader(header);
        this.parts.disk.write(this.fd, bytes, 0, bytes.length, 0);
        await this.parts.disk.sync(this.fd);
    }

    /** Gives its descriptor away. */
    takeFd(): number | undefined {
        const { fd } = this;
        this.fd = undefined;
        return fd;
    }

    /** Without a sidecar the segment is read itself, by its marks, until it is listed. */
    async finishSidecar(segment: Segment): Promise<void> {
        const { sidecar } = this;
        this.sidecar = undefined;
        segment.marks = this.marks;
        try {
            await sidecar?.finish(segment);
            if (sidecar) segment.marks = undefined;
        } catch {
            // It can be made later.
        }
    }

    abandon(): void {
        const { disk } = this.parts;
        this.sidecar?.abandon();
        this.sidecar = undefined;
        if (this.fd === undefined) return;
        disk.close(this.fd);
        this.fd = undefined;
        disk.remove(this.file);
    }

    /** Without room for a sidecar the segment is rewritten all the same. */
    private beginSidecar(number: number): SidecarWriter | undefined {
        try {
            return this.parts.sidecars.begin(number);
        } catch {
            return undefined;
        }
    }

    /** Lists the record whose head was just written behind the others. */
    private list(lsn: number, length: number): void {
        try {
            this.sidecar?.add(this.endOffset, lsn, this.output, this.used, this.used + length);
        } catch {
            this.sidecar?.abandon();
            this.sidecar = undefined;
        }
    }

    private makeRoom(length: number): void {
        if (this.used + length > this.output.length) this.flush();
    }

    private flush(): void {
        const { disk, giveUpReserve } = this.parts;
        if (this.used === 0 || this.fd === undefined) return;
        for (;;) {
            try {
                disk.write(this.fd, this.output, 0, this.used, this.written);
                break;
            } catch (error) {
                if (!giveUpReserve(error)) throw error;
            }
        }
        this.written += this.used;
        this.used = 0;
    }
}
