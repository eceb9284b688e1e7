import * as path from "node:path";
import { crc32 } from "node:zlib";
import {
    CHECKPOINT_HEADER_BYTES,
    CHECKPOINT_NAME,
    type CheckpointHeader,
    encodeCheckpointHeader,
    encodePageHeader,
    encodeTables,
    PAGE_HEADER_BYTES,
    type PageImage,
} from "./checkpoint.ts";
import type { Disk } from "./disk.ts";
import type { KeyIndex } from "./key-index.ts";
import type { Log } from "./log.ts";
import type { Segments } from "./segments.ts";
import type { Slices } from "./slices.ts";

const BUFFER_BYTES = 1024 * 1024;

export interface CheckpointParts {
    readonly disk: Disk;
    /** Where the namespace's files that can be rebuilt are. */
    readonly directory: string;
    readonly log: Log;
    readonly segments: Segments;
    readonly index: KeyIndex;
    propertyLsns(): readonly number[];
}

/**
 * Copies the index to a file, a few pages at a time while it goes on changing. Each page holds all records up to the beginning and some
 * later ones: reading the log from there on makes them alike. False when segments were rewritten meanwhile. Throws what the disk throws.
 */
export async function writeCheckpoint(parts: CheckpointParts, slices: Slices): Promise<boolean> {
    const { disk, directory, log, segments, index } = parts;
    if (!disk.exists(directory)) disk.makeDirectory(directory);
    const file = path.join(directory, CHECKPOINT_NAME);
    const unfinished = `${file}.new`;
    disk.remove(unfinished);
    log.writeOrRefuse();
    const fromLsn = log.lastLsn;
    const before = segments.all;
    const fd = disk.create(unfinished);
    try {
        const output = new Output(disk, fd);
        for (const page of index.images()) {
            // What is in no file yet may be undone.
            log.writeOrRefuse();
            output.addPage(page);
            await slices.next();
        }
        output.flush();
        if (before.some((segment, place) => segments.all[place] !== segment)) return false;
        const header = output.end(parts, fromLsn);
        // Entries point to records that must outlive this file.
        await log.commit();
        disk.write(fd, header, 0, header.length, 0);
        await disk.sync(fd);
        disk.rename(unfinished, file);
        return true;
    } finally {
        disk.close(fd);
        disk.remove(unfinished);
    }
}

class Output {
    private readonly disk: Disk;
    private readonly fd: number;
    private readonly buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    private used = 0;
    private written = 0;
    private pages = 0;
    private checksum = 0;

    constructor(disk: Disk, fd: number) {
        this.disk = disk;
        this.fd = fd;
    }

    addPage(page: PageImage): void {
        const { words } = page;
        if (this.used + PAGE_HEADER_BYTES + words.byteLength > this.buffer.length) this.flush();
        encodePageHeader(this.buffer, this.used, page);
        this.used += PAGE_HEADER_BYTES;
        this.buffer.set(new Uint8Array(words.buffer, words.byteOffset, words.byteLength), this.used);
        this.used += words.byteLength;
        this.pages++;
    }

    flush(): void {
        this.append(this.buffer, this.used);
        this.used = 0;
    }

    /** Adds the tables and gives the header, which is written last: a file without one is not finished. */
    end({ log, segments, index, propertyLsns }: CheckpointParts, fromLsn: number): Buffer {
        const pageBytes = this.written;
        const lsns = propertyLsns();
        const rows = segments.all.map(({ id, header, endOffset }) => ({ ...header, id, bytes: endOffset }));
        const tables = encodeTables({ segments: rows, propertyLsns: lsns });
        this.append(tables, tables.length);
        const header: CheckpointHeader = {
            epoch: log.epoch,
            fromLsn,
            endLsn: log.writtenLsn,
            mode: index.mode,
            hashKey: index.hashKey,
            pages: this.pages,
            pageBytes,
            segments: rows.length,
            properties: lsns.length,
            checksum: this.checksum,
        };
        return encodeCheckpointHeader(header);
    }

    private append(bytes: Buffer, length: number): void {
        this.disk.write(this.fd, bytes, 0, length, CHECKPOINT_HEADER_BYTES + this.written);
        this.checksum = crc32(bytes.subarray(0, length), this.checksum);
        this.written += length;
    }
}
