import { readdir, readFile, readlink } from "node:fs/promises";
import type { HostInfo } from "../../dev/hosts/index.ts";
import { PROCESS_TITLE } from "../../provider/dynamic/process.ts";

/** Memory only grows in the kernel's high-water mark: a look just before the end is enough, and this often one is. */
const LOOK_EVERY_MS = 100;
/** What the kernel keeps of a process's name. */
const COMM_LENGTH = 15;

/** Watches the provider processes of the stacks below a directory. The answer ends that and gives the highest resident memory of one, in MiB. */
export const watchProviders = (directory: string): (() => Promise<number>) => {
    let [peakKib, looking] = [0, Promise.resolve()];
    const known = new Map<string, boolean>();
    const look = async () => {
        for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
            // Not ours may still become ours: the title is set when our code is loaded.
            if (known.get(pid) === false) continue;
            if (!known.has(pid) && !(await readlink(`/proc/${pid}/cwd`).catch(() => "")).startsWith(`${directory}/`)) {
                known.set(pid, false);
                continue;
            }
            known.set(pid, true);
            const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
            if (!status.startsWith(`Name:\t${PROCESS_TITLE.slice(0, COMM_LENGTH)}\n`)) continue;
            peakKib = Math.max(peakKib, Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0));
        }
    };
    const timer = setInterval(() => {
        looking = looking.then(look);
    }, LOOK_EVERY_MS);
    return async () => {
        clearInterval(timer);
        await looking;
        return peakKib / 1024;
    };
};

/** Seconds of CPU that all hosts together have used so far, by who used them. */
export interface HostCpu {
    readonly agent: number;
    readonly engines: number;
    readonly all: number;
}

/** The groups of the agent and of the servers, as systemd names them. */
const AGENT = "system.slice/zeroform-agent.service";
const ENGINES = "system.slice/system-zeroform\\x2dzdb.slice";

export const cpuOf = async (hosts: readonly HostInfo[]): Promise<HostCpu> => {
    const sum = async (group: string) => (await Promise.all(hosts.map((host) => secondsOf(host, group)))).reduce((a, b) => a + b, 0);
    const [agent, engines, all] = await Promise.all([sum(AGENT), sum(ENGINES), sum("")]);
    return { agent, engines, all };
};

/** 0 for a group that is not there, or not any more: then `all` still has what it used. */
const secondsOf = async ({ pid, name }: HostInfo, group: string): Promise<number> => {
    if (pid === undefined) throw new Error(`${name} is not running`);
    const text = await readFile(`/proc/${pid}/root/sys/fs/cgroup/${group}/cpu.stat`, "utf8").catch(() => "");
    return Number(/^usage_usec (\d+)$/m.exec(text)?.[1] ?? 0) / 1e6;
};

/** Clock ticks are 10 ms on every Linux that Pulumi runs on. */
const TICKS_PER_SECOND = 100;

/** Seconds of CPU of all children of this process that have ended, with theirs. */
export const childrenCpu = async (): Promise<number> => {
    const text = await readFile("/proc/self/stat", "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
};
