import * as fs from "node:fs";
import * as path from "node:path";
import { readNow } from "./seam-read.ts";

/**
 * The file operations the log stands on, and nothing else: tests put a disk behind it that runs full or fails.
 * Reads and appends are synchronous, they end in the page cache; `sync` may take long and runs on the thread pool.
 */
export interface Disk extends DiskReader {
    openForAppend(file: string): number;
    /** Fails when the file exists. */
    create(file: string): number;
    /** Closes a file whose name is gone. On the thread pool, since it frees the blocks: 26 ms for 64 MiB were seen. */
    closeRemoved(fd: number): void;
    /**
     * Bytes read that need not be waited for, fewer than asked when the rest must be or the file ends; WOULD_WAIT when there is none,
     * UNSUPPORTED when that is not known.
     */
    readNow(fd: number, target: Buffer, offset: number, length: number, position: number): number;
    /** Like `read`, on the thread pool. */
    readLater(fd: number, target: Buffer, offset: number, length: number, position: number): Promise<number>;
    /** Writes all of it or throws; a part may then be in the file. */
    write(fd: number, source: Buffer, offset: number, length: number, position: number): void;
    truncate(fd: number, length: number): void;
    sync(fd: number): Promise<void>;
    syncNow(fd: number): void;
    /** Makes new, renamed and removed names in a directory survive a power loss. */
    syncDirectory(directory: string): void;
    syncDirectoryLater(directory: string): Promise<void>;
    /** With the directories above it. */
    makeDirectory(directory: string): void;
    rename(from: string, to: string): void;
    /** Gives a file a second name on its file system. */
    link(from: string, to: string): void;
    remove(file: string): void;
    /** Removes a directory with all it holds, off the event loop. */
    removeTree(directory: string): Promise<void>;
    /** Bytes still to be had on the file system of a directory. */
    freeBytes(directory: string): number;
}

/** What one needs who changes nothing. */
export interface DiskReader {
    openForRead(file: string): number;
    close(fd: number): void;
    /** Bytes read; fewer than asked only at the end of the file. */
    read(fd: number, target: Buffer, offset: number, length: number, position: number): number;
    size(fd: number): number;
    list(directory: string): string[];
    exists(file: string): boolean;
}

export const nodeDisk: Disk = {
    openForRead: (file) => fs.openSync(file, "r"),
    openForAppend: (file) => fs.openSync(file, "r+"),
    create: (file) => fs.openSync(file, "wx+", 0o600),
    close: (fd) => fs.closeSync(fd),
    closeRemoved: (fd) => fs.close(fd, () => undefined),

    read(fd, target, offset, length, position) {
        let done = 0;
        while (done < length) {
            const count = fs.readSync(fd, target, offset + done, length - done, position + done);
            if (count === 0) break;
            done += count;
        }
        return done;
    },

    readNow,

    async readLater(fd, target, offset, length, position) {
        let done = 0;
        while (done < length) {
            const count = await readOnce(fd, target, offset + done, length - done, position + done);
            if (count === 0) break;
            done += count;
        }
        return done;
    },

    write(fd, source, offset, length, position) {
        let done = 0;
        while (done < length) done += fs.writeSync(fd, source, offset + done, length - done, position + done);
    },

    size: (fd) => fs.fstatSync(fd).size,
    truncate: (fd, length) => fs.ftruncateSync(fd, length),
    sync: (fd) => new Promise((resolve, reject) => fs.fdatasync(fd, (error) => (error ? reject(error) : resolve()))),
    syncNow: (fd) => fs.fdatasyncSync(fd),

    syncDirectory(directory) {
        const fd = fs.openSync(directory, "r");
        try {
            fs.fsyncSync(fd);
        } finally {
            fs.closeSync(fd);
        }
    },

    async syncDirectoryLater(directory) {
        const handle = await fs.promises.open(directory, "r");
        try {
            await handle.sync();
        } finally {
            await handle.close();
        }
    },

    list: (directory) => fs.readdirSync(directory),
    makeDirectory: (directory) => void fs.mkdirSync(directory, { mode: 0o700, recursive: true }),
    rename: (from, to) => fs.renameSync(from, to),
    link: (from, to) => fs.linkSync(from, to),
    remove: (file) => fs.rmSync(file, { force: true }),
    removeTree: (directory) => fs.promises.rm(directory, { recursive: true, force: true }),
    exists: (file) => fs.existsSync(file),

    freeBytes(directory) {
        const { bavail, bsize } = fs.statfsSync(directory);
        return bavail * bsize;
    },
};

function readOnce(fd: number, target: Buffer, offset: number, length: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
        fs.read(fd, target, offset, length, position, (error, count) => (error ? reject(error) : resolve(count)));
    });
}

/** Moves a directory on its file system so that the move survives a power loss on both sides. */
export function moveDirectory(disk: Disk, from: string, to: string): void {
    disk.rename(from, to);
    for (const parent of new Set([path.dirname(to), path.dirname(from)])) disk.syncDirectory(parent);
}

/** The disk or the user's share of it is full. */
export function isNoSpace(error: unknown): boolean {
    return errorCode(error) === "ENOSPC" || errorCode(error) === "EDQUOT";
}

export const UNKNOWN_ERROR = "unknown error";

/** The system's name of an error, such as ENOSPC, or "unknown error". */
export function errorCode(error: unknown): string {
    return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : UNKNOWN_ERROR;
}
