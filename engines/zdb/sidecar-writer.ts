import type { Disk } from "./disk.ts";
import { RECORD_HEAD_BYTES } from "./record.ts";
import { entryBytes, writeEntry } from "./record-blocks.ts";
import type { Segment } from "./segment.ts";
import { BLOCK_HEADER_BYTES, encodeSidecarHeader, SIDECAR_BLOCK_BYTES, SIDECAR_HEADER_BYTES, sealBlock } from "./sidecar.ts";

/** Writes one sidecar, record by record, under a name of its own until it is whole. */
export class SidecarWriter {
    private readonly disk: Disk;
    private readonly file: string;
    private readonly unfinished: string;
    private readonly fd: number;
    private readonly block = Buffer.alloc(SIDECAR_BLOCK_BYTES);
    private used = BLOCK_HEADER_BYTES;
    private firstLsn = 0;
    private blocks = 0;
    private records = 0;

    /** Throws what the disk throws. */
    constructor(disk: Disk, file: string) {
        this.disk = disk;
        this.file = file;
        this.unfinished = `${file}.new`;
        disk.remove(this.unfinished);
        this.fd = disk.create(this.unfinished);
    }

    /** Adds a record whose head and key stand in `source` as they are in the segment. */
    add(offset: number, lsn: number, source: Buffer, from: number, to: number): void {
        if (this.used + entryBytes(to - from - RECORD_HEAD_BYTES) > SIDECAR_BLOCK_BYTES) this.endBlock();
        if (this.used === BLOCK_HEADER_BYTES) this.firstLsn = lsn;
        this.used += writeEntry(this.block, this.used, offset, source, from, to);
        this.records++;
    }

    /** Brings it to disk and into place. */
    async finish(segment: Segment): Promise<void> {
        try {
            this.endBlock();
            const header = encodeSidecarHeader(segment, { blocks: this.blocks, records: this.records });
            this.disk.write(this.fd, header, 0, header.length, 0);
            await this.disk.sync(this.fd);
        } catch (error) {
            this.abandon();
            throw error;
        }
        this.disk.close(this.fd);
        this.disk.rename(this.unfinished, this.file);
    }

    /** Throws nothing: what is left of the file is removed by whoever begins the sidecar anew. */
    abandon(): void {
        this.disk.close(this.fd);
        try {
            this.disk.remove(this.unfinished);
        } catch {
            // It is in nobody's way.
        }
    }

    private endBlock(): void {
        if (this.used === BLOCK_HEADER_BYTES) return;
        sealBlock(this.block, this.used - BLOCK_HEADER_BYTES, this.firstLsn);
        this.disk.write(this.fd, this.block, 0, this.used, SIDECAR_HEADER_BYTES + this.blocks * SIDECAR_BLOCK_BYTES);
        this.blocks++;
        this.used = BLOCK_HEADER_BYTES;
    }
}
