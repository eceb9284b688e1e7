import * as fs from "node:fs";
import * as path from "node:path";
import { type Disk, errorCode } from "./disk.ts";

const BOOT_FILE = ".boot";
const BOOT_ID = "/proc/sys/kernel/random/boot_id";
const LONGEST_ID_BYTES = 64;

/** Whether what programs wrote and did not sync may be gone. */
export interface Power {
    readonly mayHaveBeenLost: boolean;
}

/** The id of this run of the system's kernel; undefined when it does not tell. */
export function bootId(): string | undefined {
    try {
        return fs.readFileSync(BOOT_ID, "latin1").trim();
    } catch {
        return undefined;
    }
}

/**
 * For tools: whether the logs below a data directory were opened in another run of the kernel than this one. Where nobody noted one, as in a
 * copy, what is there is judged as if all of it had to be there.
 */
export function powerSince(disk: Disk, directory: string): Power {
    const isNoted = disk.exists(path.join(directory, BOOT_FILE));
    return { mayHaveBeenLost: isNoted && new PowerRecord(disk, directory, bootId()).mayHaveBeenLost };
}

/**
 * Remembers in the data directory in which run of the kernel the logs were opened. A server that only was killed finds everything that
 * was written, so a hole in a log is damage; one that comes up in another run may find holes in what was not synced.
 */
export class PowerRecord implements Power {
    mayHaveBeenLost: boolean;
    private readonly disk: Disk;
    private readonly directory: string;
    private readonly id: string | undefined;

    constructor(disk: Disk, directory: string, id: string | undefined) {
        this.disk = disk;
        this.directory = directory;
        this.id = id;
        this.mayHaveBeenLost = id === undefined || this.read() !== id;
    }

    /** All logs were opened, and what is in them is on disk. Throws nothing: without the note the next start is a cautious one. */
    opened(log: (line: string) => void): void {
        if (!this.mayHaveBeenLost || this.id === undefined) return;
        try {
            this.note(this.id);
            this.mayHaveBeenLost = false;
        } catch (error) {
            log(`could not note the run of the kernel in ${BOOT_FILE} (${errorCode(error)})`);
        }
    }

    private get file(): string {
        return path.join(this.directory, BOOT_FILE);
    }

    private read(): string | undefined {
        const { disk } = this;
        try {
            const fd = disk.openForRead(this.file);
            try {
                const bytes = Buffer.alloc(LONGEST_ID_BYTES);
                return bytes.toString("latin1", 0, disk.read(fd, bytes, 0, bytes.length, 0));
            } finally {
                disk.close(fd);
            }
        } catch {
            return undefined;
        }
    }

    private note(id: string): void {
        const { disk } = this;
        const unfinished = `${this.file}.new`;
        disk.remove(unfinished);
        const fd = disk.create(unfinished);
        try {
            const bytes = Buffer.from(id, "latin1");
            disk.write(fd, bytes, 0, bytes.length, 0);
            disk.syncNow(fd);
        } finally {
            disk.close(fd);
        }
        disk.rename(unfinished, this.file);
        disk.syncDirectory(this.directory);
    }
}
