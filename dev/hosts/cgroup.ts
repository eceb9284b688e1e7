import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { DevError } from "../dev-error.ts";
import type { HostPlaces, SetPlaces } from "./places.ts";

const EMPTY_WAIT_MS = 15_000;
const POLL_MS = 5;

/** A host's cgroup with two children: `launcher` for the parent of its PID 1, `host` for all that runs in it. */
export async function makeCgroup(place: HostPlaces, root: string): Promise<void> {
    await mkdir(`${place.cgroup}/launcher`, { recursive: true });
    await mkdir(`${place.cgroup}/host`, { recursive: true });
    // Where the machine keeps its controllers in v1 hierarchies there is nothing to hand down, and hosts work without limits.
    for (const directory of [root, place.cgroup]) {
        const controllers = await readFile(`${directory}/cgroup.controllers`, "utf8").catch(() => "");
        for (const controller of controllers.split(/\s+/).filter(Boolean)) {
            await writeFile(`${directory}/cgroup.subtree_control`, `+${controller}`).catch(() => undefined);
        }
    }
}

/** Kills all that runs in the host at once, as a power cut does, and removes its tree. Harmless when there is none. */
export async function killCgroup(place: HostPlaces): Promise<void> {
    if (!(await exists(place.cgroup))) return;
    const deadline = Date.now() + EMPTY_WAIT_MS;
    while (!(await tryRemove(place.cgroup))) {
        if (Date.now() > deadline) {
            throw new DevError(
                `Processes of the test host ${place.name} did not die within ${EMPTY_WAIT_MS / 1000} s of a kill: see ${place.cgroup}/cgroup.procs.`,
            );
        }
        await writeFile(`${place.cgroup}/cgroup.kill`, "1").catch(() => undefined);
        await sleep(POLL_MS);
    }
}

/** PID 1 of the host as this machine sees it, or undefined while it is off. */
export async function initPid(place: HostPlaces): Promise<number | undefined> {
    // In this order: systemd moves itself from the first to the second, and read the other way round it could be missed in both.
    for (const leaf of ["host", "host/init.scope"]) {
        const text = await readFile(`${place.cgroup}/${leaf}/cgroup.procs`, "utf8").catch(() => "");
        for (const pid of text.split("\n").filter(Boolean)) {
            const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
            if (/^NSpid:.*\s1$/m.test(status)) return Number(pid);
        }
    }
    return undefined;
}

/** The numbers of this set's hosts that have a cgroup. */
export async function cgroupNumbers(set: SetPlaces, root: string): Promise<number[]> {
    const pattern = new RegExp(`^${set.prefix}-([1-9][0-9]?)$`);
    return (await readdir(root)).flatMap((name) => Number(pattern.exec(name)?.[1] ?? 0) || []);
}

async function exists(directory: string): Promise<boolean> {
    return await readdir(directory).then(
        () => true,
        () => false,
    );
}

/** Depth first; a cgroup that still has processes refuses. */
async function tryRemove(directory: string): Promise<boolean> {
    const entries = await readdir(directory, { withFileTypes: true }).catch(() => undefined);
    if (entries === undefined) return true;
    for (const entry of entries) {
        if (entry.isDirectory() && !(await tryRemove(`${directory}/${entry.name}`))) return false;
    }
    return await rmdir(directory).then(
        () => true,
        (error: NodeJS.ErrnoException) => error.code === "ENOENT",
    );
}
