import { isNoSpace } from "./disk.ts";
import type { LogEnd, LogParts } from "./log-owner.ts";
import type { Segment } from "./segment.ts";
import { createSegment } from "./segment-files.ts";
import { SEGMENT_HEADER_BYTES, type SegmentHeader } from "./segment-header.ts";
import { renewSegment } from "./segment-renewal.ts";
import type { Segments } from "./segments.ts";
import { SpareSegment } from "./spare-segment.ts";

/** The segment of a log that is appended to. */
export class ActiveSegment {
    private readonly parts: LogParts;
    private readonly segments: Segments;
    private current: Segment;
    private fd: number;
    /** Its file is found by its name after a power loss. */
    private hasDurableName = true;
    private spare: SpareSegment | undefined;
    /** Files made beforehand that were of no use, until they are closed. */
    private readonly leaving = new Set<Promise<void>>();
    /** It was tried to make the next file beforehand. */
    private wasPrepared = false;

    constructor(parts: LogParts, end: LogEnd) {
        this.parts = parts;
        this.segments = parts.segments;
        this.current = end.segment;
        this.fd = end.fd;
        this.segments.appended = { segment: this.current, fd: this.fd };
    }

    get header(): SegmentHeader {
        return this.current.header;
    }

    /** As the table of segments has it. */
    get id(): number {
        return this.current.id;
    }

    /** Where the next batch goes. */
    get endOffset(): number {
        return this.current.endOffset;
    }

    /** Writes at the end, `tail` behind `buffer`. When it throws, a part may be in the file: see `takeBack`. */
    append(buffer: Buffer, length: number, tail: Uint8Array, lastLsn: number, holdsValues: boolean): void {
        const { disk } = this.parts;
        this.withReserve(holdsValues, () => {
            disk.write(this.fd, buffer, 0, length, this.endOffset);
            if (tail.length > 0) disk.write(this.fd, tail as Buffer, 0, tail.length, this.endOffset + length);
        });
        this.current.endOffset += length + tail.length;
        this.current.lastLsn = lastLsn;
    }

    /** A record that is going to be appended begins here. */
    mark(lsn: number, offset: number): void {
        this.current.marks?.saw(lsn, offset);
    }

    /** Removes what an append that failed left behind the end. */
    takeBack(): void {
        this.current.marks?.cut(this.endOffset);
        this.parts.disk.truncate(this.fd, this.endOffset);
    }

    /** Brings all that was written when it began to the disk, with the name of the file. */
    async sync(): Promise<void> {
        const { disk } = this.parts;
        const { current } = this;
        await disk.sync(this.fd);
        if (this.hasDurableName) return;
        await disk.syncDirectoryLater(this.segments.directory);
        if (this.current === current) this.hasDurableName = true;
    }

    syncNow(): void {
        const { disk } = this.parts;
        disk.syncNow(this.fd);
        if (!this.hasDurableName) disk.syncDirectory(this.segments.directory);
        this.hasDurableName = true;
    }

    /** Makes the file of the next segment beforehand. Without it, beginning one only takes longer. */
    prepareNext(): void {
        if (this.wasPrepared) return;
        this.wasPrepared = true;
        try {
            this.spare = new SpareSegment(this.parts.disk, this.segments.directory, this.header.number + 1);
        } catch {
            // Whoever begins the segment hears what is wrong.
        }
    }

    /** The next segment will not be begun. */
    async forgetNext(): Promise<void> {
        this.wasPrepared = true;
        await Promise.all([...this.leaving, this.takeSpare()?.discard()]);
    }

    /** Begins the next segment; the one before must be synced. */
    begin(header: SegmentHeader, forValue: boolean): void {
        const { disk } = this.parts;
        let hasDurableName = false;
        const fd = this.withReserve(forValue, () => {
            const begun = this.beginSpare(header);
            hasDurableName = begun === undefined;
            return begun ?? createSegment(disk, this.segments.directory, header);
        });
        this.hasDurableName = hasDurableName;
        this.wasPrepared = false;
        this.segments.keep(this.current.id, this.fd);
        this.fd = fd;
        this.current = this.segments.add(header, SEGMENT_HEADER_BYTES);
        this.segments.appended = { segment: this.current, fd };
    }

    /** Puts a new file in the place of one that failed; nothing is appended meanwhile. Throws when that fails too. */
    async renew(): Promise<void> {
        const { disk, space } = this.parts;
        const fd = await renewSegment({
            disk,
            directory: this.segments.directory,
            segment: this.current,
            fd: this.fd,
            giveUpReserve: (error) => isNoSpace(error) && space.giveUp(),
        });
        this.hasDurableName = true;
        this.segments.renewed(this.current, fd);
        disk.close(this.fd);
        this.fd = fd;
    }

    close(): void {
        this.segments.close();
        this.parts.disk.close(this.fd);
    }

    private beginSpare(header: SegmentHeader): number | undefined {
        const spare = this.takeSpare();
        try {
            return spare?.begin(header);
        } finally {
            if (spare?.isGone) {
                const gone = spare.discard();
                this.leaving.add(gone);
                void gone.then(() => this.leaving.delete(gone));
            }
        }
    }

    private takeSpare(): SpareSegment | undefined {
        const { spare } = this;
        this.spare = undefined;
        return spare;
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
