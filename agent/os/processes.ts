import { readdir, readFile, readlink } from "node:fs/promises";
import { absentAs } from "./files.ts";
import { parseMountinfo } from "./mountinfo.ts";

/** A process that uses something. */
export interface User {
    /** `postgres (pid 71)` */
    readonly name: string;
    /** The systemd unit that it belongs to, when it belongs to one. */
    readonly unit: string | undefined;
}

/** Who uses what. */
export interface Processes {
    /** Processes with something open on a mounted file system, or that keep it mounted in a mount namespace of their own; at most a handful. */
    using(mountPoint: string): Promise<readonly User[]>;
    /** Processes that have a file or device open by this path; at most a handful. */
    opening(path: string): Promise<readonly User[]>;
}

/** More names than these help nobody. */
const MOST_USERS = 5;

export const processes: Processes = {
    using: async (mountPoint) => {
        const device = deviceAt(mountPoint, await readFile("/proc/self/mountinfo", "utf8"));
        if (device === undefined) return [];
        const own = await readlink("/proc/self/ns/mnt");
        const seen = new Set([own]);
        const users: User[] = [];
        for (const pid of await pids()) {
            if (users.length === MOST_USERS) break;
            // A process may end at any moment while it is looked at.
            if ((await holdsOpen(pid, mountPoint)) || (await keepsMounted(pid, device, seen))) {
                users.push({ name: await nameOf(pid), unit: await unitOf(pid) });
            }
        }
        return users;
    },

    opening: async (path) => {
        const users: User[] = [];
        for (const pid of await pids()) {
            if (users.length === MOST_USERS) break;
            for (const descriptor of await gone([], () => readdir(`/proc/${pid}/fd`))) {
                if ((await gone("", () => readlink(`/proc/${pid}/fd/${descriptor}`))) !== path) continue;
                users.push({ name: await nameOf(pid), unit: await unitOf(pid) });
                break;
            }
        }
        return users;
    },
};

const pids = async (): Promise<readonly string[]> => (await readdir("/proc")).filter((name) => /^\d+$/.test(name));

/** A process as people know it. */
export const nameOf = async (pid: string): Promise<string> => {
    const name = await gone("", () => readFile(`/proc/${pid}/comm`, "utf8"));
    return `${name.trim() || "a process"} (pid ${pid})`;
};

const holdsOpen = async (pid: string, mountPoint: string): Promise<boolean> => {
    const within = (path: string) => path === mountPoint || path.startsWith(`${mountPoint}/`);
    for (const link of ["cwd", "root", "exe"]) {
        if (within(await gone("", () => readlink(`/proc/${pid}/${link}`)))) return true;
    }
    for (const descriptor of await gone([], () => readdir(`/proc/${pid}/fd`))) {
        if (within(await gone("", () => readlink(`/proc/${pid}/fd/${descriptor}`)))) return true;
    }
    const maps = await gone("", () => readFile(`/proc/${pid}/maps`, "utf8"));
    return maps.split("\n").some((line) => within(line.slice(line.indexOf("/"))));
};

/** Whether it lives in a mount namespace of its own, not looked at yet, where the device stays mounted when it is unmounted here. */
const keepsMounted = async (pid: string, device: string, seen: Set<string>): Promise<boolean> => {
    const namespace = await gone("", () => readlink(`/proc/${pid}/ns/mnt`));
    if (namespace === "" || seen.has(namespace)) return false;
    seen.add(namespace);
    const mounts = parseMountinfo(await gone("", () => readFile(`/proc/${pid}/mountinfo`, "utf8")));
    return mounts.some((mount) => mount.device === device && !mount.follows);
};

const deviceAt = (mountPoint: string, mountinfo: string): string | undefined =>
    parseMountinfo(mountinfo).findLast((mount) => mount.target === mountPoint)?.device;

const unitOf = async (pid: string): Promise<string | undefined> => {
    const groups = await gone("", () => readFile(`/proc/${pid}/cgroup`, "utf8"));
    return /\/([^/\n]+\.(?:service|scope))(?:\/|$)/m.exec(groups)?.[1];
};

/** What to make of a process that ended while it was looked at, or that not even root may look into. */
export const gone = async <T>(answer: T, attempt: () => Promise<T>): Promise<T> => {
    try {
        return await absentAs(answer, attempt);
    } catch (failure) {
        const code = failure instanceof Error && "code" in failure ? failure.code : undefined;
        if (code === "ESRCH" || code === "EACCES" || code === "EINVAL") return answer;
        throw failure;
    }
};
