import * as path from "node:path";
import type { Disk } from "./disk.ts";
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader, segmentName, unfinishedName } from "./segment-header.ts";

/**
 * The file that the next segment of a log will be, made while there is time under a name that means nothing: it has room for a header on
 * the disk, so that clients wait for one small write and its sync when the segment is begun.
 */
export class SpareSegment {
    private readonly disk: Disk;
    private readonly name: string;
    private readonly file: string;
    private readonly fd: number;
    /** It is on the disk. */
    private isMade = false;
    /** It is of no use any more. */
    isGone = false;
    /** Never rejects. */
    private readonly made: Promise<void>;

    /** Throws what the disk throws, and leaves nothing behind then. */
    constructor(disk: Disk, directory: string, number: number) {
        this.disk = disk;
        this.name = path.join(directory, segmentName(number));
        this.file = path.join(directory, unfinishedName(number));
        if (disk.exists(this.name)) throw new Error(`${this.name} is there already`);
        disk.remove(this.file);
        this.fd = disk.create(this.file);
        try {
            disk.write(this.fd, Buffer.alloc(SEGMENT_HEADER_BYTES), 0, SEGMENT_HEADER_BYTES, 0);
        } catch (error) {
            disk.close(this.fd);
            disk.remove(this.file);
            throw error;
        }
        this.made = this.make();
    }

    /**
     * Makes it a segment and gives its descriptor away: its header is on disk, its name is when the directory is synced. undefined when it
     * could not be brought to disk before. Throws what the disk throws, and leaves nothing behind then.
     */
    begin(header: SegmentHeader): number | undefined {
        const { disk, fd } = this;
        if (this.isGone) return undefined;
        if (!this.isMade) {
            // A sync under way that fails would take the failure of the one below with it.
            this.giveUp();
            return undefined;
        }
        try {
            disk.write(fd, encodeSegmentHeader(header), 0, SEGMENT_HEADER_BYTES, 0);
            disk.syncNow(fd);
            disk.rename(this.file, this.name);
            return fd;
        } catch (error) {
            this.giveUp();
            throw error;
        }
    }

    /** There is no use for it; resolves when nothing is left of it. */
    async discard(): Promise<void> {
        if (!this.isGone) this.giveUp();
        await this.made;
    }

    private async make(): Promise<void> {
        try {
            await this.disk.sync(this.fd);
            this.isMade = true;
        } catch {
            if (!this.isGone) this.giveUp();
        }
    }

    /** Its name may be wanted for another file at once; a sync of it may be under way. */
    private giveUp(): void {
        this.isGone = true;
        void this.made.then(() => this.disk.close(this.fd));
        try {
            this.disk.remove(this.file);
        } catch {
            // It is in nobody's way: the next start removes it.
        }
    }
}
