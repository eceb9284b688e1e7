import { readdir, readFile, readlink, writeFile } from "node:fs/promises";

/** Watches of files that one user may have on the whole kernel; root of every host is the same user, and the default is 128. */
const LIMIT = "/proc/sys/fs/inotify/max_user_instances";
/** A host's systemd takes five, its agent one, and what else runs there some. */
const PER_HOST = 10;
/** What the machine itself, and other sets of hosts, may take beside. */
const BESIDE = 512;
/** So few left are none: what starts takes several. */
const SHORT_OF = 8;

/** Lets the kernel start so many hosts: a systemd that gets no watch ends without a word. Says what it changed. */
export async function makeRoomForWatches(hosts: number): Promise<void> {
    const [limit, needed] = [await limitNow(), hosts * PER_HOST + BESIDE];
    if (limit >= needed) return;
    const isRaised = await writeFile(LIMIT, String(needed)).then(
        () => true,
        () => false,
    );
    if (isRaised)
        console.error(`raised fs.inotify.max_user_instances from ${limit} to ${needed} for the test hosts, until this machine restarts`);
}

/** Why a host may have died, in words to be added to that; empty when it was not this. */
export async function shortageOfWatches(): Promise<string> {
    const [limit, taken] = [await limitNow(), await takenByRoot()];
    if (taken + SHORT_OF < limit) return "";
    return `; root has ${taken} of the ${limit} inotify instances that this kernel allows: run sysctl fs.inotify.max_user_instances=1024`;
}

const limitNow = async (): Promise<number> => Number(await readFile(LIMIT, "utf8"));

const takenByRoot = async (): Promise<number> => {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    return (await Promise.all(pids.map(takenBy))).reduce((sum, each) => sum + each, 0);
};

/** A process may end while it is looked at. */
const takenBy = async (pid: string): Promise<number> => {
    try {
        if (!/^Uid:\s+0\s/m.test(await readFile(`/proc/${pid}/status`, "utf8"))) return 0;
        const descriptors = await readdir(`/proc/${pid}/fd`);
        const targets = await Promise.all(descriptors.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")));
        return targets.filter((target) => target === "anon_inode:inotify").length;
    } catch {
        return 0;
    }
};
