import { access, readdir, readFile } from "node:fs/promises";
import { must } from "../../dev/hosts/command.ts";
import { cgroupRoot } from "../../dev/hosts/machine.ts";
import { BASE } from "../../dev/hosts/places.ts";

/** All that this machine has of a set of hosts, whatever made it. Other sets may come and go meanwhile. */
export interface Footprint {
    readonly files: boolean;
    readonly links: readonly string[];
    readonly cgroups: readonly string[];
    readonly mounts: readonly string[];
    readonly loops: readonly string[];
    /** Processes that live in a host's mount namespace, and with them all its namespaces. */
    readonly processes: readonly string[];
}

export const NOTHING: Footprint = { files: false, links: [], cgroups: [], mounts: [], loops: [], processes: [] };

export async function footprint(prefix: string): Promise<Footprint> {
    const directory = `${BASE}/${prefix}/`;
    const own = (name: string) => name.startsWith(`${prefix}-`);
    return {
        files: await access(directory).then(
            () => true,
            () => false,
        ),
        links: (await readdir("/sys/class/net")).filter(own),
        cgroups: (await readdir(await cgroupRoot())).filter(own),
        mounts: (await readFile("/proc/self/mountinfo", "utf8")).split("\n").filter((line) => line.includes(directory)),
        loops: (await must("losetup", ["--list", "--noheadings", "--output", "NAME,BACK-FILE"]))
            .split("\n")
            .filter((line) => line.includes(directory)),
        processes: await processesBelow(directory),
    };
}

async function processesBelow(directory: string): Promise<string[]> {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    const found: string[] = [];
    for (const pid of pids) {
        const mounts = await readFile(`/proc/${pid}/mountinfo`, "utf8").catch(() => "");
        if (mounts.includes(`upperdir=${directory}`)) found.push(pid);
    }
    return found;
}
