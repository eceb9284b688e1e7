import { constants } from "node:fs";
import { link, lstat, mkdir, open, readdir, readFile, rename, rm, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { inTurn } from "./in-turn.ts";
import { mountOf, readMounts } from "./mountinfo.ts";
import { run } from "./program.ts";
import { type Change, changeTogether } from "./shared-writing.ts";

/** What a path names, without following a link. */
export interface FileStat {
    readonly bytes: number;
    /** Bytes that its blocks take on the disk. */
    readonly reservedBytes: number;
    readonly directory: boolean;
    /** Unix milliseconds of the last change of its bytes. */
    readonly changedMs: number;
    /** Together they tell a file from every other one on the machine. */
    readonly device: number;
    readonly inode: number;
}

/** The file system that holds a path. */
export interface FileSystem {
    /** Type as the kernel calls it: `ext4`, `xfs`, `tmpfs` ... */
    readonly type: string;
    readonly device: number;
    readonly totalBytes: number;
    /** Bytes that an ordinary file may still take. */
    readonly freeBytes: number;
}

/** Files and directories; what is written is on the disk when the promise is kept. */
export interface Files {
    /** undefined: not there. */
    stat(path: string): Promise<FileStat | undefined>;
    /** undefined: not there. */
    readText(path: string): Promise<string | undefined>;
    /** Names in a directory; none when it is not there. */
    list(directory: string): Promise<readonly string[]>;
    /** Replaces a file as a whole: readers and power cuts see the old text or the new one. @default mode 0600 */
    writeText(path: string, text: string, mode?: number): Promise<void>;
    /** Replaces a file of mode 0600 by what `change` makes of it, or leaves it where that is undefined; changes that come while one is being written share the next writing. */
    changeText(path: string, change: Change): Promise<void>;
    /** With its parents. @default mode 0700 */
    makeDirectory(path: string, mode?: number): Promise<void>;
    /** Renames within one file system and makes the new name last. The target's directory is made when it is missing. */
    move(from: string, to: string): Promise<void>;
    /** A second name for the same file. `elsewhere`: the name would be on another file system, or seen through another mount. */
    link(existing: string, name: string): Promise<"linked" | "elsewhere">;
    /** Makes a file, or a directory with all that is in it, a user's and its group's; follows no link. */
    giveTo(path: string, user: string): Promise<void>;
    /** Removes a file, a link, or a directory with all that is in it. Absent is fine. */
    remove(path: string): Promise<void>;
    /** Bytes that a file, or a directory with all that is in it, takes on the disk. 0 when it is not there. */
    diskUsage(path: string): Promise<number>;
    /** The file system that holds a path, which must exist. */
    fileSystem(path: string): Promise<FileSystem>;
}

/** st_blocks counts in these, whatever the block size of the file system. */
const STAT_BLOCK_BYTES = 512;

/** A namespace is some hundred files at most. */
const LONGEST_CHOWN_MS = 300_000;

export const files: Files = {
    stat: async (path) => {
        const found = await absentAs(undefined, () => lstat(path));
        return (
            found && {
                bytes: found.size,
                reservedBytes: found.blocks * STAT_BLOCK_BYTES,
                directory: found.isDirectory(),
                changedMs: found.mtimeMs,
                device: found.dev,
                inode: found.ino,
            }
        );
    },

    readText: (path) => absentAs(undefined, () => readFile(path, "utf8")),

    list: (directory) => absentAs([], () => readdir(directory)),

    writeText: (path, text, mode = 0o600) => inTurn(path, () => replaceText(path, text, mode)),

    changeText: (path, change) =>
        changeTogether(path, change, (all) =>
            inTurn(path, async () => {
                const before = await files.readText(path);
                const text = all(before);
                if (text !== undefined && text !== before) await replaceText(path, text, 0o600);
            }),
        ),

    makeDirectory: (path, mode = 0o700) => makeDirectory(path, mode),

    move: async (from, to) => {
        await makeDirectory(dirname(to), 0o700);
        await rename(from, to);
        await syncDirectory(dirname(to));
        if (dirname(from) !== dirname(to)) await syncDirectory(dirname(from));
    },

    link: async (existing, name) => {
        await makeDirectory(dirname(name), 0o700);
        try {
            await link(existing, name);
        } catch (failure) {
            if (failure instanceof Error && "code" in failure && failure.code === "EXDEV") return "elsewhere";
            throw failure;
        }
        await syncDirectory(dirname(name));
        return "linked";
    },

    giveTo: async (path, user) => {
        await run("chown", ["-hR", `${user}:${user}`, path], { timeoutMs: LONGEST_CHOWN_MS });
    },

    remove: async (path) => {
        await rm(path, { recursive: true, force: true });
        await absentAs(undefined, () => syncDirectory(dirname(path)));
    },

    diskUsage,

    fileSystem: async (path) => {
        const [room, found, mounts] = await Promise.all([statfs(path), lstat(path), readMounts()]);
        return {
            type: mountOf(path, mounts)?.type ?? "unknown",
            device: found.dev,
            totalBytes: room.blocks * room.bsize,
            freeBytes: room.bavail * room.bsize,
        };
    },
};

async function diskUsage(path: string): Promise<number> {
    const found = await files.stat(path);
    if (found === undefined) return 0;
    if (!found.directory) return found.reservedBytes;
    let total = found.reservedBytes;
    for (const name of await files.list(path)) total += await diskUsage(`${path}/${name}`);
    return total;
}

const replaceText = async (path: string, text: string, mode: number): Promise<void> => {
    await makeDirectory(dirname(path), 0o700);
    const temporary = `${path}.new`;
    await rm(temporary, { force: true });
    await writeDurably(temporary, text, mode);
    await rename(temporary, path);
    await syncDirectory(dirname(path));
};

const writeDurably = async (path: string, text: string, mode: number): Promise<void> => {
    const handle = await open(path, "wx", mode);
    try {
        await handle.writeFile(text);
        await handle.sync();
    } finally {
        await handle.close();
    }
};

const makeDirectory = async (path: string, mode: number): Promise<void> => {
    const first = await mkdir(path, { recursive: true, mode });
    if (first !== undefined) await syncDirectory(dirname(first));
};

/** Makes names in a directory survive a power cut. */
export const syncDirectory = async (directory: string): Promise<void> => {
    const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
        await handle.sync();
    } finally {
        await handle.close();
    }
};

/** What to make of a path that is not there; every other failure stays one. */
export const absentAs = async <T, A>(answer: A, attempt: () => Promise<T>): Promise<T | A> => {
    try {
        return await attempt();
    } catch (failure) {
        const code = failure instanceof Error && "code" in failure ? failure.code : undefined;
        if (code === "ENOENT" || code === "ENOTDIR") return answer;
        throw failure;
    }
};
