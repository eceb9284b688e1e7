import { randomBytes } from "node:crypto";
import * as path from "node:path";
import { type Disk, isNoSpace } from "./disk.ts";
import { DISK_FULL_PAUSE_MS, RESERVE_BYTES, RESERVE_STEP_BYTES } from "./limits.ts";

const RESERVE_FILE = ".reserve";
const REFILL_PAUSE_MS = 10_000;
const ROOM_FOR_REFILL_BYTES = 4 * RESERVE_BYTES;

/**
 * What a server knows about the room on its disk. Values are refused for a moment after a full disk was seen, and a small file
 * written beforehand is given up piece by piece so that deletions and property changes still find room.
 */
export class DiskSpace {
    private readonly disk: Disk;
    private readonly file: string;
    private readonly nowMs: () => number;
    private readonly fullReserveBytes: number;
    private fullUntilMs = Number.NEGATIVE_INFINITY;
    private nextRefillMs = Number.NEGATIVE_INFINITY;
    private reserveBytes = 0;

    constructor(disk: Disk, dataDirectory: string, nowMs: () => number, fullReserveBytes = RESERVE_BYTES) {
        this.fullReserveBytes = fullReserveBytes;
        this.disk = disk;
        this.file = path.join(dataDirectory, RESERVE_FILE);
        this.nowMs = nowMs;
        if (fullReserveBytes > 0) this.fill();
    }

    /** The disk ran full a moment ago: values need not be tried. */
    get refusesValues(): boolean {
        return this.nowMs() < this.fullUntilMs;
    }

    sawFull(): void {
        this.fullUntilMs = this.nowMs() + DISK_FULL_PAUSE_MS;
    }

    /** What a rewriting may write at most: it may use the reserve, because it makes room. */
    freeBytes(): number {
        return this.disk.freeBytes(path.dirname(this.file)) + this.reserveBytes;
    }

    /** Frees a piece of the reserve; false when nothing is left of it. */
    giveUp(): boolean {
        if (this.reserveBytes === 0) return false;
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

    /** A write succeeded: when part of the reserve was given up and there is plenty of room again, it is taken back. */
    wrote(): void {
        if (this.reserveBytes >= this.fullReserveBytes || this.nowMs() < this.nextRefillMs) return;
        this.nextRefillMs = this.nowMs() + REFILL_PAUSE_MS;
        try {
            if (this.disk.freeBytes(path.dirname(this.file)) >= ROOM_FOR_REFILL_BYTES) this.fill();
        } catch {
            // The write it follows succeeded; without a reserve a full disk refuses deletions, no more.
        }
    }

    private fill(): void {
        const fd = this.disk.exists(this.file) ? this.disk.openForAppend(this.file) : this.disk.create(this.file);
        try {
            this.reserveBytes = Math.min(this.disk.size(fd), this.fullReserveBytes);
            while (this.reserveBytes < this.fullReserveBytes) {
                this.disk.write(fd, piece, 0, piece.length, this.reserveBytes);
                this.reserveBytes += piece.length;
            }
        } catch (error) {
            if (!isNoSpace(error)) throw error;
            this.disk.truncate(fd, this.reserveBytes);
        } finally {
            this.disk.close(fd);
        }
    }
}

/** Not zeros: a compressing file system would keep no room for them. */
const piece = Buffer.alloc(RESERVE_STEP_BYTES, randomBytes(4096));
