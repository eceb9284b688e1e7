import * as path from "node:path";
import { crc32 } from "node:zlib";
import {
    CHECKPOINT_HEADER_BYTES,
    CHECKPOINT_NAME,
    type CheckpointHeader,
    type CheckpointTables,
    decodeCheckpointHeader,
    decodeTables,
    PAGE_HEADER_BYTES,
    type PageImage,
    tableBytes,
} from "./checkpoint.ts";
import { type Disk, errorCode } from "./disk.ts";
import { readUint64 } from "./record.ts";
import { Slices } from "./slices.ts";

/** No page has as many words. */
const MOST_PAGE_WORDS = 1024 * 1024;

/** A checkpoint file whose header and tables are sound; its pages were not looked at. */
export class StoredCheckpoint {
    readonly header: CheckpointHeader;
    readonly tables: CheckpointTables;
    private readonly disk: Disk;
    private readonly fd: number;
    private readonly tableContents: Buffer;

    /** undefined when there is none; throws an UnusableCheckpoint when it cannot be used. */
    static open(disk: Disk, directory: string): StoredCheckpoint | undefined {
        const file = path.join(directory, CHECKPOINT_NAME);
        if (!disk.exists(file)) return undefined;
        let fd: number;
        try {
            fd = disk.openForRead(file);
        } catch (error) {
            throw new UnusableCheckpoint(`it cannot be opened (${errorCode(error)})`);
        }
        try {
            return new StoredCheckpoint(disk, fd);
        } catch (error) {
            disk.close(fd);
            throw error instanceof UnusableCheckpoint ? error : new UnusableCheckpoint(`it cannot be read (${errorCode(error)})`);
        }
    }

    private constructor(disk: Disk, fd: number) {
        this.disk = disk;
        this.fd = fd;
        const bytes = Buffer.alloc(CHECKPOINT_HEADER_BYTES);
        const header = decodeCheckpointHeader(bytes.subarray(0, disk.read(fd, bytes, 0, bytes.length, 0)));
        if (typeof header === "string") throw new UnusableCheckpoint(header);
        this.header = header;
        const tablesAt = CHECKPOINT_HEADER_BYTES + header.pageBytes;
        const length = tableBytes(header.segments, header.properties);
        if (disk.size(fd) !== tablesAt + length) throw new UnusableCheckpoint("it is cut short");
        this.tableContents = Buffer.alloc(length);
        disk.read(fd, this.tableContents, 0, length, tablesAt);
        this.tables = decodeTables(this.tableContents, header);
    }

    /** Hands all pages to `restore`, then makes sure that they are what was written. Throws an UnusableCheckpoint. */
    async readPages(restore: (page: PageImage) => void): Promise<void> {
        const { disk, fd, header } = this;
        const head = Buffer.alloc(PAGE_HEADER_BYTES);
        const slices = new Slices();
        let checksum = 0;
        let at = CHECKPOINT_HEADER_BYTES;
        try {
            for (let page = 0; page < header.pages; page++) {
                disk.read(fd, head, 0, head.length, at);
                checksum = crc32(head, checksum);
                const length = head.readUInt32LE(12);
                if (length > MOST_PAGE_WORDS) throw new UnusableCheckpoint("it is damaged");
                const words = new Int32Array(length);
                const bytes = Buffer.from(words.buffer);
                disk.read(fd, bytes, 0, bytes.length, at + PAGE_HEADER_BYTES);
                checksum = crc32(bytes, checksum);
                restore({ position: readUint64(head, 0), depth: head.readUInt32LE(8), words });
                at += PAGE_HEADER_BYTES + bytes.length;
                await slices.next();
            }
        } catch (error) {
            if (error instanceof UnusableCheckpoint) throw error;
            throw new UnusableCheckpoint(`it cannot be read (${errorCode(error)})`);
        }
        if (crc32(this.tableContents, checksum) !== header.checksum) throw new UnusableCheckpoint("it is damaged");
    }

    /** Where the log ended when it was written, and was synced, if that was in the segment that begins with this LSN. */
    syncedEnd(firstLsn: number): { readonly offset: number; readonly nextLsn: number } | undefined {
        const last = this.tables.segments.at(-1);
        return last?.firstLsn === firstLsn ? { offset: last.bytes, nextLsn: this.header.endLsn + 1 } : undefined;
    }

    close(): void {
        this.disk.close(this.fd);
    }
}

/** The log has to be read instead; the message says why. */
export class UnusableCheckpoint extends Error {}
