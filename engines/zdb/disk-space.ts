import { randomBytes } from "node:crypto";
import * as path from "node:path";
import { setImmediate } from "node:timers/promises";
import { type Disk, isNoSpace } from "./disk.ts";
import { DISK_FULL_PAUSE_MS, MAX_SEGMENT_BYTES, RESERVE_BYTES, RESERVE_STEP_BYTES } from "./limits.ts";

const RESERVE_FILE = ".reserve";
const REFILL_PAUSE_MS = 10_000;
/** Of room for the reserve: then it is made larger, and values do not wait until it is whole again. */
const PLENTY = 4;

/**
 * What a server knows about the room on its disk. A file written beforehand is given up piece by piece when the disk is full, so that
 * deletions and property changes still find room for their records, and a rewriting for its output: its size is that of the largest closed
 * segment, and some. Values are refused from the moment a full disk is seen until what was given up is taken back, or there is plenty of
 * room for that: only then is there room that they do not take from the deletions after them.
 */
export class DiskSpace {
    private readonly disk: Disk;
    private readonly file: string;
    private readonly nowMs: () => number;
    /** For records of deletions and properties. */
    private readonly leastReserveBytes: number;
    private wantedBytes: number;
    private reserveBytes = 0;
    /** What it had before the disk was full. */
    private owedBytes = 0;
    private fullUntilMs = Number.NEGATIVE_INFINITY;
    private nextRefillMs = Number.NEGATIVE_INFINITY;
    private isFilling = false;
    /** The disk was full, and it is not known yet to have room for values again. */
    private isShort = false;

    constructor(disk: Disk, dataDirectory: string, nowMs: () => number, leastReserveBytes = RESERVE_BYTES) {
        this.leastReserveBytes = leastReserveBytes;
        this.wantedBytes = leastReserveBytes;
        this.disk = disk;
        this.file = path.join(dataDirectory, RESERVE_FILE);
        this.nowMs = nowMs;
        if (leastReserveBytes === 0) return;
        this.findReserve();
        this.fillUpTo(this.wantedBytes);
    }

    /** The disk is full: values need not be tried. */
    get refusesValues(): boolean {
        if (!this.isShort) return false;
        if (this.nowMs() < this.fullUntilMs) return true;
        if (this.reserveBytes < this.owedBytes) this.takeBack();
        const missing = this.owedBytes - this.reserveBytes;
        // Taking back is under way: the first value after room was made is not refused for that.
        this.isShort = missing > 0 && !this.hasPlentyFor(missing);
        return this.isShort;
    }

    sawFull(): void {
        this.isShort = true;
        this.fullUntilMs = this.nowMs() + DISK_FULL_PAUSE_MS;
    }

    /** There is a closed segment of this size, which may be rewritten one day. */
    mayRewrite(segmentBytes: number): void {
        if (this.leastReserveBytes === 0) return;
        this.wantedBytes = Math.max(this.wantedBytes, this.leastReserveBytes + Math.min(segmentBytes, MAX_SEGMENT_BYTES));
        this.refill();
    }

    /** What a rewriting may write at most: it may use the reserve, because it makes room. */
    freeBytes(): number {
        return this.disk.freeBytes(path.dirname(this.file)) + this.reserveBytes;
    }

    /** Frees a piece of the reserve; false when nothing is left of it. */
    giveUp(): boolean {
        if (this.reserveBytes === 0) return false;
        this.owedBytes = Math.max(this.owedBytes, this.reserveBytes);
        this.isShort = true;
        const left = Math.max(0, this.reserveBytes - RESERVE_STEP_BYTES);
        const fd = this.disk.openForAppend(this.file);
        try {
            this.disk.truncate(fd, left);
        } finally {
            this.disk.close(fd);
        }
        this.reserveBytes = left;
        return true;
    }

    /** A write succeeded: when the reserve is not whole and there is plenty of room, it is filled. */
    wrote(): void {
        if (this.reserveBytes < this.wantedBytes && this.nowMs() >= this.nextRefillMs) this.refill();
    }

    private refill(): void {
        this.nextRefillMs = this.nowMs() + REFILL_PAUSE_MS;
        const missing = this.wantedBytes - this.reserveBytes;
        if (missing > 0 && this.hasPlentyFor(missing)) this.fillSlowly(() => this.wantedBytes);
    }

    private hasPlentyFor(bytes: number): boolean {
        try {
            return this.disk.freeBytes(path.dirname(this.file)) >= PLENTY * bytes;
        } catch {
            // Without a reserve a full disk refuses deletions, no more.
            return false;
        }
    }

    /** Puts what was freed into the reserve, before values get it. */
    private takeBack(): void {
        this.fillSlowly(() => this.owedBytes);
    }

    /** The first piece at once, the others one in each turn of the event loop. */
    private fillSlowly(bytes: () => number): void {
        if (this.isFilling) return;
        this.isFilling = true;
        void this.fillOn(bytes);
    }

    private async fillOn(bytes: () => number): Promise<void> {
        try {
            while (this.fillUpTo(Math.min(bytes(), this.reserveBytes + RESERVE_BYTES)) && this.reserveBytes < bytes()) await setImmediate();
        } catch {
            // Whoever is in need of it finds the disk as it is.
        }
        this.isFilling = false;
        if (this.reserveBytes < this.owedBytes) this.sawFull();
    }

    private findReserve(): void {
        if (!this.disk.exists(this.file)) return;
        const fd = this.disk.openForRead(this.file);
        try {
            this.reserveBytes = this.disk.size(fd);
        } finally {
            this.disk.close(fd);
        }
    }

    /** False when the disk is full before. */
    private fillUpTo(bytes: number): boolean {
        if (this.reserveBytes >= bytes) return true;
        let fd: number | undefined;
        try {
            fd = this.disk.exists(this.file) ? this.disk.openForAppend(this.file) : this.disk.create(this.file);
            while (this.reserveBytes < bytes) {
                const length = Math.min(piece.length, bytes - this.reserveBytes);
                this.disk.write(fd, piece, 0, length, this.reserveBytes);
                this.reserveBytes += length;
            }
            return true;
        } catch (error) {
            if (!isNoSpace(error)) throw error;
            if (fd !== undefined) this.disk.truncate(fd, this.reserveBytes);
            return false;
        } finally {
            if (fd !== undefined) this.disk.close(fd);
        }
    }
}

/** Not zeros: a compressing file system would keep no room for them. */
const piece = Buffer.alloc(RESERVE_STEP_BYTES, randomBytes(4096));
