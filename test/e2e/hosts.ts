import { setTimeout as sleep } from "node:timers/promises";
import { exec, type HostInfo, reinstall, up } from "../../dev/hosts/index.ts";
import { prefixOf } from "../prefix.ts";

/** The set of hosts that all end-to-end tests share; taken away by the global tear-down. */
export const PREFIX = prefixOf("e");

/** What a program needs to know of a host, as plain data. */
export interface Machine {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly identityFile: string;
    readonly hostKey: string;
}

export const machineOf = ({ address, port, user, identityFile, hostKey }: HostInfo): Machine => ({
    host: address,
    port,
    user,
    identityFile,
    hostKey,
});

/** The first `count` hosts of the set, running, joined, and with nothing on them: what a test that failed left there is gone. */
export const hosts = async (count: number): Promise<readonly HostInfo[]> => {
    const all = (await up({ prefix: PREFIX, count })).slice(0, count);
    return Promise.all(all.map(async (each) => ((await footprint(each)) === "" ? each : reinstall(each))));
};

/** One host, as `hosts` gives them. */
export const host = async (): Promise<HostInfo> => {
    const [first] = await hosts(1);
    if (!first) throw new Error("no test host");
    return first;
};

/** Runs a shell line as root on a host and gives its output; fails with what it said. */
export const sh = async ({ name }: HostInfo, line: string): Promise<string> => {
    const { code, stdout, stderr } = await exec(name, ["sh", "-c", line]);
    if (code !== 0) throw new Error(`on ${name}: ${line}: ${stderr || stdout}`);
    return stdout.trim();
};

/** What zeroform has on a host that a leak would show in: units, mounts, files. Loop devices are the kernel's and show those of all hosts. */
const FOOTPRINT = [
    "find /var/lib/zeroform -mindepth 1 -maxdepth 1 ! -name lost+found",
    "ls /etc/systemd/system | grep zeroform",
    "grep zeroform/mounts /proc/mounts",
    "ls -d /run/zeroform",
    "systemctl list-units --all --plain --no-legend 'zeroform*'",
].join("; ");

const footprint = (on: HostInfo): Promise<string> => sh(on, `{ ${FOOTPRINT}; } 2>/dev/null; true`);

/** The agent takes itself away once the last Node's removal is answered: waits for that, and fails with what stays. */
export const expectNothingLeft = async (on: HostInfo): Promise<void> => {
    let left = "";
    await until(async () => {
        left = await footprint(on);
        return left === "" ? true : undefined;
    }, 20_000).catch(() => {
        throw new Error(`left on ${on.name}:\n${left}`);
    });
};

/** Looks until there is something to see. */
export const until = async <T>(look: () => Promise<T | undefined>, limitMs = 60_000): Promise<T> => {
    const deadline = Date.now() + limitMs;
    while (Date.now() < deadline) {
        const found = await look();
        if (found !== undefined) return found;
        await sleep(50);
    }
    throw new Error(`looked for ${limitMs} ms in vain`);
};
