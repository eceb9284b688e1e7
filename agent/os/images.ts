import { constants } from "node:fs";
import { open, rename, rm, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { absentAs, files, syncDirectory } from "./files.ts";
import { ProgramFailure, run } from "./program.ts";

/** Image files: reserved space with a file system in it. */
export interface Images {
    /** Makes a new image of this size with an empty ext4 in it; it has its name only when it is complete. Never touches an existing one. */
    make(path: string, bytes: number, signal: AbortSignal): Promise<void>;
    /** Makes an image larger, and fills its holes, so that every byte of it is reserved. Never smaller. */
    reserve(path: string, bytes: number, signal: AbortSignal): Promise<void>;
    /** Bytes of the ext4 in an image or on a device; undefined when there is none. */
    fileSystemBytes(path: string): Promise<number | undefined>;
    /** Grows the mounted ext4 on a device to the size of the device. `refused`: the kernel does not let this system do so. */
    growFileSystem(device: string, signal: AbortSignal): Promise<"grown" | "refused">;
}

/** An image that is being made; whatever has this name belongs to nobody. */
const UNFINISHED = ".new";
/** Blocks of the size of a page, also where mke2fs would choose smaller ones: an image of 16 MiB may grow to terabytes. */
const BLOCK_BYTES = 4_096;
/** Reserving is a matter of extents, making a file system one of a few megabytes; neither takes long unless the disk is sick. */
const TIMEOUT_MS = 300_000;

const SUPERBLOCK_OFFSET = 1_024;
const SUPERBLOCK_BYTES = 1_024;
const EXT4_MAGIC = 0xef53;

export const images: Images = {
    make: async (path, bytes, signal) => {
        const unfinished = `${path}${UNFINISHED}`;
        await rm(unfinished, { force: true });
        try {
            await createEmpty(unfinished, signal);
            await allocate(unfinished, bytes, signal);
            // Discarding would give the reserved space back.
            const options = ["-q", "-F", "-m", "0", "-b", String(BLOCK_BYTES), "-E", "nodiscard", "-t", "ext4"];
            await run("mke2fs", [...options, unfinished], { signal, timeoutMs: TIMEOUT_MS });
            // Whatever mke2fs zeroed by punching holes is reserved again.
            await allocate(unfinished, bytes, signal);
            await sync(unfinished);
            await rename(unfinished, path);
        } catch (failure) {
            await rm(unfinished, { force: true });
            throw failure;
        }
        await syncDirectory(dirname(path));
    },

    reserve: async (path, bytes, signal) => {
        const before = await files.stat(path);
        const wanted = Math.max(bytes, before?.bytes ?? 0);
        if (before !== undefined && before.bytes >= wanted && before.reservedBytes >= wanted) return;
        try {
            await allocate(path, wanted, signal);
        } catch (failure) {
            // Nothing uses the new end yet: loop and file system still have the old size.
            if (before !== undefined && before.bytes < wanted) await truncate(path, before.bytes);
            throw failure;
        }
        await sync(path);
    },

    fileSystemBytes: async (path) => {
        const block = await absentAs(undefined, () => readSuperblock(path));
        if (block === undefined || block.readUInt16LE(0x38) !== EXT4_MAGIC) return undefined;
        const blocks = BigInt(block.readUInt32LE(0x04)) + (BigInt(block.readUInt32LE(0x150)) << 32n);
        return Number(blocks << BigInt(10 + block.readUInt32LE(0x18)));
    },

    growFileSystem: async (device, signal) => {
        try {
            await run("resize2fs", [device], { signal, timeoutMs: TIMEOUT_MS });
            return "grown";
        } catch (failure) {
            // Growing a mounted ext4 needs CAP_SYS_RESOURCE, which some containers' roots do not have.
            if (failure instanceof ProgramFailure && failure.words.includes("Permission denied to resize")) return "refused";
            throw failure;
        }
    },
};

const createEmpty = async (path: string, signal: AbortSignal): Promise<void> => {
    const handle = await open(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
    await handle.close();
    // In place, as if it were a disk: copy-on-write would need room for every write into reserved space.
    if ((await files.fileSystem(path)).type === "btrfs") await run("chattr", ["+C", path], { signal });
};

const allocate = async (path: string, bytes: number, signal: AbortSignal): Promise<void> => {
    await run("fallocate", ["--length", String(bytes), path], { signal, timeoutMs: TIMEOUT_MS });
};

const sync = async (path: string): Promise<void> => {
    const handle = await open(path, "r+");
    try {
        await handle.sync();
    } finally {
        await handle.close();
    }
};

const readSuperblock = async (path: string): Promise<Buffer | undefined> => {
    const handle = await open(path, "r");
    try {
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(SUPERBLOCK_BYTES), 0, SUPERBLOCK_BYTES, SUPERBLOCK_OFFSET);
        return bytesRead === SUPERBLOCK_BYTES ? buffer : undefined;
    } finally {
        await handle.close();
    }
};
