import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readFile, rmdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { MOUNTS } from "../../protocol/layout.ts";
import { absentAs } from "./files.ts";
import { type MountLine, readMounts } from "./mountinfo.ts";
import { ProgramFailure, run } from "./program.ts";

export type Mount = MountLine;

/** What is mounted where. */
export interface Mounts {
    /** All mounts by their target, with the block device that each of ours is on; of several on one target the topmost. */
    list(): Promise<ReadonlyMap<string, Mount>>;
    /** Whether a file system has shut itself down after an error: xfs does, and goes on being mounted. */
    isShutDown(mountPoint: string): Promise<boolean>;
    /** Makes a directory into which nothing can be written while nothing is mounted on it. */
    preparePoint(path: string): Promise<void>;
    /** Removes the bare directory. Absent is fine. */
    removePoint(path: string): Promise<void>;
}

export const mounts: Mounts = {
    list: async () => {
        const found = await Promise.all((await readMounts()).map(onBlockDevice));
        return new Map(found.map((mount) => [mount.target, mount]));
    },

    // Opening a directory that is in memory asks the file system, and no disk.
    isShutDown: (mountPoint) =>
        open(mountPoint, constants.O_RDONLY | constants.O_DIRECTORY).then(
            (handle) => handle.close().then(() => false),
            (failure: NodeJS.ErrnoException) => failure.code === "EIO",
        ),

    preparePoint: async (path) => {
        // What is mounted may have failed, and then not even its root opens.
        if (await isMounted(path)) return;
        await absentAs(undefined, () => mkdir(path, { recursive: true, mode: 0o755 }));
        await setImmutable(path, true);
    },

    removePoint: async (path) => {
        if ((await absentAs(undefined, () => lstat(path))) === undefined || (await isMounted(path))) return;
        await setImmutable(path, false);
        await absentAs(undefined, () => rmdir(path));
    },
};

/** btrfs, which may be on several devices, shows a device number of its own making. */
const onBlockDevice = async (mount: Mount): Promise<Mount> => {
    if (mount.type !== "btrfs" || !mount.target.startsWith(`${MOUNTS}/`)) return mount;
    const device = await absentAs(undefined, () => stat(mount.source));
    return device?.isBlockDevice() ? { ...mount, device: deviceNumber(device.rdev) } : mount;
};

/** `major:minor` of a device number as stat(2) gives it (gnu_dev_major(3)). */
export const deviceNumber = (rdev: number): string => {
    const number = BigInt(rdev);
    const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn);
    const minor = (number & 0xffn) | ((number >> 12n) & ~0xffn);
    return `${major}:${minor}`;
};

const isMounted = async (path: string): Promise<boolean> => (await readMounts()).some((mount) => mount.target === path);

/**
 * Sets or takes the flag of the bare directory, never of the root of what is mounted on it: a mount that a killed agent had asked for may
 * land at any moment, and its users could make nothing in it any more. So the directory is opened first, asked whether it is the bare
 * one, and reached through its descriptor, which no mount comes between.
 * Not every file system has the flag; the mount point is then as writable as any directory, and the units' assertions still hold.
 */
const setImmutable = async (path: string, immutable: boolean): Promise<void> => {
    const [point, parent] = await Promise.all([openDirectory(path), openDirectory(dirname(path))]);
    try {
        if ((await mountIdOf(point)) !== (await mountIdOf(parent))) return;
        await run("chattr", [immutable ? "+i" : "-i", `/proc/${process.pid}/fd/${point.fd}/.`]);
    } catch (failure) {
        if (!(failure instanceof ProgramFailure && failure.words.includes("not supported"))) throw failure;
    } finally {
        await Promise.all([point.close(), parent.close()]);
    }
};

const openDirectory = (path: string): Promise<FileHandle> => open(path, constants.O_RDONLY | constants.O_DIRECTORY);

/** The mount that an open directory is seen through (proc(5)). */
const mountIdOf = async ({ fd }: FileHandle): Promise<string | undefined> =>
    /^mnt_id:\s*(\d+)$/m.exec(await readFile(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1];
