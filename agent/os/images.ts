import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { open, rename, rm, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import type { Filesystem } from "../../schema/zmount.ts";
import { type Copied, makeEqual } from "./copying.ts";
import { files, syncDirectory } from "./files.ts";
import { uuidIn } from "./formats/format.ts";
import { formats } from "./formats/index.ts";
import { run } from "./program.ts";

/** Image files: reserved space with a file system in it. */
export interface Images {
    /** Makes a new image of this size with an empty file system in it; it has its name only when it is complete. Never touches an existing one. */
    make(path: string, bytes: number, filesystem: Filesystem, signal: AbortSignal): Promise<void>;
    /** Makes an image larger, and fills its holes, so that every byte of it is reserved. Never smaller. */
    reserve(path: string, bytes: number, signal: AbortSignal): Promise<void>;
    /** The same for an image that is being copied to: made when it is not there, with nothing in it. */
    ensureReserved(path: string, bytes: number, signal: AbortSignal): Promise<void>;
    /** Makes an image equal to another of its size, writing only what differs, and answers how many bytes that were. Begun again, it goes on. */
    makeEqual(from: string, to: string, copied: Copied, signal: AbortSignal): Promise<number>;
    /** The UUID of the file system of this format in an image or on a device; undefined when there is none. */
    uuidOf(path: string, filesystem: Filesystem): Promise<string | undefined>;
    /** Grows what is mounted from a device to the size of the device. `refused`: the kernel does not let this system do so. */
    grow(mounted: Mounted, filesystem: Filesystem, signal: AbortSignal): Promise<"grown" | "refused">;
}

/** A file system in use. */
export interface Mounted {
    /** `/dev/loop3` */
    readonly device: string;
    readonly mountPoint: string;
}

/** An image that is being made; whatever has this name belongs to nobody. */
const UNFINISHED = ".new";
/** Reserving is a matter of extents: it takes no time unless the disk is sick. */
const TIMEOUT_MS = 300_000;

export const images: Images = {
    make: async (path, bytes, filesystem, signal) => {
        const unfinished = `${path}${UNFINISHED}`;
        await rm(unfinished, { force: true });
        try {
            await createEmpty(unfinished, signal);
            await allocate(unfinished, bytes, signal);
            await formats[filesystem].make(unfinished, { uuid: randomUUID(), label: "" }, signal);
            // Whatever was zeroed by punching holes is reserved again.
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

    ensureReserved: async (path, bytes, signal) => {
        const before = await files.stat(path);
        // Left by a move of another size.
        if (before !== undefined && before.bytes > bytes) await rm(path);
        if (before === undefined || before.bytes > bytes) await createEmpty(path, signal);
        await images.reserve(path, bytes, signal);
    },

    makeEqual,

    uuidOf: (path, filesystem) => uuidIn(path, formats[filesystem]),

    grow: ({ device, mountPoint }, filesystem, signal) => formats[filesystem].grow(device, mountPoint, signal),
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
