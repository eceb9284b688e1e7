import { AsyncLocalStorage } from "node:async_hooks";
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { FileHandle } from "node:fs/promises";
import { mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { DevError } from "../dev-error.ts";

type Mode = "shared" | "exclusive";

const WAIT_SECONDS = 300;
const RETRIES_MAX = 100;

const held = new AsyncLocalStorage<readonly number[]>();

/**
 * Runs the action while holding a lock on the file. The kernel frees it with the last process that has the open file: when this one is killed,
 * commands it has started (see `heldLocks`) finish before anybody else begins.
 */
export async function withLock<T>(file: string, mode: Mode, action: () => Promise<T>): Promise<T> {
    const handle = await acquire(file, mode);
    try {
        return await held.run([...heldLocks(), handle.fd], action);
    } finally {
        await handle.close();
    }
}

/** Descriptors of the locks the current action holds, to be handed on to the commands it waits for. */
export function heldLocks(): readonly number[] {
    return held.getStore() ?? [];
}

/** The file may be removed by the holder of its lock (`down`); whoever then gets the lock on the removed file asks again. */
async function acquire(file: string, mode: Mode): Promise<FileHandle> {
    for (let attempt = 0; attempt < RETRIES_MAX; attempt++) {
        await mkdir(dirname(file), { recursive: true, mode: 0o755 });
        const handle = await openLockFile(file);
        if (handle === undefined) continue;
        try {
            await lock(handle, file, mode);
            if ((await stat(file).catch(() => undefined))?.ino === (await handle.stat()).ino) return handle;
        } catch (error) {
            await handle.close();
            throw error;
        }
        await handle.close();
    }
    throw new DevError(`The lock ${file} was removed ${RETRIES_MAX} times while it was waited for: something else deletes files there.`);
}

/** Undefined when its directory has just been removed. */
async function openLockFile(file: string): Promise<FileHandle | undefined> {
    try {
        return await open(file, "a", 0o644);
    } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
    }
}

/** A lock belongs to the open file, so one taken by flock(1) on our descriptor is ours. */
async function lock(handle: FileHandle, file: string, mode: Mode): Promise<void> {
    const flag = mode === "shared" ? "--shared" : "--exclusive";
    const flock = spawn("flock", [flag, "--wait", String(WAIT_SECONDS), "3"], {
        cwd: "/",
        stdio: ["ignore", "ignore", "ignore", handle.fd],
    });
    const [code] = (await once(flock, "close")) as [number | null];
    if (code === 0) return;
    throw new DevError(`The lock ${file} was still held by another run after ${WAIT_SECONDS} s: wait for it or end it.`);
}
