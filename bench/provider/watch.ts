import { readdir, readFile, readlink } from "node:fs/promises";
import type { HostInfo } from "../../dev/hosts/index.ts";
import { PROCESS_TITLE } from "../../provider/dynamic/process.ts";

/** Memory only grows in the kernel's high-water mark, and CPU in its count: a look just before the end is enough, and this often one is. */
const LOOK_EVERY_MS = 100;
/** What the kernel keeps of a process's name. */
const COMM_LENGTH = 15;
/** Clock ticks are 10 ms on every Linux that Pulumi runs on. */
const TICKS_PER_SECOND = 100;

/** Who works here for a stack. */
const ROLES = ["cli", "program", "provider"] as const;
type Role = (typeof ROLES)[number];

/** What the processes of a command have used, as far as it was seen. */
export interface LocalUse {
    /** The highest resident memory of a host of dynamic providers, its shared libraries and what it read of files included. */
    readonly providerMiB: number;
    /** Seconds of CPU of the CLI with its language host, of programs, and of hosts of dynamic providers. */
    readonly cpu: Readonly<Record<Role, number>>;
}

/** Watches the processes of the stacks below a directory. The answer ends that and gives what they used. */
export const watchProcesses = (directory: string): (() => Promise<LocalUse>) => {
    let [peakKib, looking] = [0, Promise.resolve()];
    const known = new Map<string, boolean>();
    const used = new Map<string, { readonly role: Role; readonly seconds: number }>();
    const look = async () => {
        for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
            if (known.get(pid) === false) continue;
            if (!known.has(pid) && !(await readlink(`/proc/${pid}/cwd`).catch(() => "")).startsWith(`${directory}/`)) {
                known.set(pid, false);
                continue;
            }
            known.set(pid, true);
            const [status, stat, words] = await Promise.all(
                ["status", "stat", "cmdline"].map((file) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "")),
            );
            if (stat === undefined || stat === "") continue;
            // One that is ending has lost its words, and not its role.
            const role = words ? roleOf(stat, words) : (used.get(pid)?.role ?? roleOf(stat, ""));
            used.set(pid, { role, seconds: secondsIn(stat, ["utime", "stime"]) });
            if (role === "provider") peakKib = Math.max(peakKib, Number(/^VmHWM:\s+(\d+) kB$/m.exec(status ?? "")?.[1] ?? 0));
        }
    };
    const timer = setInterval(() => {
        looking = looking.then(look);
    }, LOOK_EVERY_MS);
    return async () => {
        clearInterval(timer);
        await looking;
        const sum = (role: Role) => [...used.values()].reduce((total, each) => total + (each.role === role ? each.seconds : 0), 0);
        return { providerMiB: peakKib / 1024, cpu: { cli: sum("cli"), program: sum("program"), provider: sum("provider") } };
    };
};

/** By the name that the kernel has, which a title replaces, and by the command line. */
const roleOf = (stat: string, words: string): Role => {
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    if (name.startsWith("pulumi")) return "cli";
    return name.startsWith(PROCESS_TITLE.slice(0, COMM_LENGTH)) || words.includes("dynamic-provider") ? "provider" : "program";
};

/** Fields of /proc/<pid>/stat, counted behind the name, which may have spaces in it. */
const FIELDS = { utime: 11, stime: 12, cutime: 13, cstime: 14 } as const;

const secondsIn = (stat: string, fields: readonly (keyof typeof FIELDS)[]): number => {
    const values = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields.reduce((total, field) => total + Number(values[FIELDS[field]]), 0) / TICKS_PER_SECOND;
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

/** Seconds of CPU of all children of this process that have ended, with theirs. */
export const childrenCpu = async (): Promise<number> => secondsIn(await readFile("/proc/self/stat", "utf8"), ["cutime", "cstime"]);
