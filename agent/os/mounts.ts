import { lstat, mkdir, rmdir } from "node:fs/promises";
import { absentAs } from "./files.ts";
import { type MountLine, readMounts } from "./mountinfo.ts";
import { ProgramFailure, run } from "./program.ts";

export type Mount = MountLine;

/** What is mounted where. */
export interface Mounts {
    /** All mounts by their target; of several on one target the topmost. */
    list(): Promise<ReadonlyMap<string, Mount>>;
    /** Makes a directory into which nothing can be written while nothing is mounted on it. */
    preparePoint(path: string): Promise<void>;
    /** Removes the bare directory. Absent is fine. */
    removePoint(path: string): Promise<void>;
}

export const mounts: Mounts = {
    list: async () => new Map((await readMounts()).map((mount) => [mount.target, mount])),

    preparePoint: async (path) => {
        await absentAs(undefined, () => mkdir(path, { recursive: true, mode: 0o755 }));
        // Mounted, the flag would be set on the root of what is mounted.
        if (!(await isMounted(path))) await setImmutable(path, true);
    },

    removePoint: async (path) => {
        if ((await absentAs(undefined, () => lstat(path))) === undefined || (await isMounted(path))) return;
        await setImmutable(path, false);
        await absentAs(undefined, () => rmdir(path));
    },
};

const isMounted = async (path: string): Promise<boolean> => (await readMounts()).some((mount) => mount.target === path);

/** Not every file system has the flag; the mount point is then as writable as any directory, and the units' assertions still hold. */
const setImmutable = async (path: string, immutable: boolean): Promise<void> => {
    try {
        await run("chattr", [immutable ? "+i" : "-i", path]);
    } catch (failure) {
        if (!(failure instanceof ProgramFailure && failure.words.includes("not supported"))) throw failure;
    }
};
