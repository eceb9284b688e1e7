import { mkdir, readdir, rm, rmdir, writeFile } from "node:fs/promises";
import { DevError } from "../dev-error.ts";
import { cgroupNumbers, initPid } from "./cgroup.ts";
import { type CommandOptions, type CommandResult, must } from "./command.ts";
import { erase, install } from "./installation.ts";
import { withLock } from "./lock.ts";
import { cgroupRoot, requireMachine } from "./machine.ts";
import { addressOf, cabledNumbers, ensureBridge, freeNetwork, plug, removeBridge } from "./network.ts";
import { BASE, BASE_LOCK, HOSTS_MAX, type HostPlaces, hostPlaces, parseHostName, type SetPlaces, setPlaces } from "./places.ts";
import { enter, switchOff, switchOn } from "./power.ts";
import { type HostRecord, readRecord, type SetRecord, writeRecord } from "./records.ts";

/** A test host, with what is needed to reach it as one reaches any machine over SSH. */
export interface HostInfo {
    /** `<prefix>-<number>`, for example `zf-1`. Also its host name. */
    readonly name: string;
    readonly address: string;
    readonly port: number;
    readonly user: "root";
    /** Private key that root and the accounts `dev` (sudo without a password) and `guest` (no sudo) accept. */
    readonly identityFile: string;
    /** Its ed25519 host key, `ssh-ed25519 <base64>`. */
    readonly hostKey: string;
    /** PID 1 of the host as this machine sees it; absent while it is off. */
    readonly pid?: number;
    /** `cut`: it runs, its cable is pulled. */
    readonly state: "up" | "off" | "cut";
    /** Size of the data disk at /var/lib/zeroform. */
    readonly diskBytes: number;
}

/** A host by its name, or what `up` and `list` gave. */
export type HostRef = string | Pick<HostInfo, "name">;

export interface UpOptions {
    readonly prefix?: string;
    /** How many hosts there shall be at least. Default 1. */
    readonly count?: number;
    /** Size of the data disk of hosts made now; sparse. Default 20 GiB. */
    readonly diskBytes?: number;
}

export const DEFAULT_PREFIX = "zf";
const DEFAULT_DISK_BYTES = 20 * 1024 ** 3;
/** ext4 with its journal needs some room to be made at all. */
const DISK_BYTES_MIN = 64 * 1024 ** 2;

/** Hosts 1 to `count` run and are joined; those that are missing are made, more than that are left alone. Can be repeated. */
export async function up(options: UpOptions = {}): Promise<HostInfo[]> {
    const root = await requireMachine();
    const set = setPlaces(options.prefix ?? DEFAULT_PREFIX);
    const count = options.count ?? 1;
    if (!Number.isInteger(count) || count < 1 || count > HOSTS_MAX)
        throw new DevError(`A set has 1 to ${HOSTS_MAX} test hosts, not ${count}.`);
    const diskBytes = options.diskBytes ?? DEFAULT_DISK_BYTES;
    if (!(diskBytes >= DISK_BYTES_MIN))
        throw new DevError(`A test host's disk has at least ${DISK_BYTES_MIN / 1024 ** 2} MiB, not ${diskBytes} bytes.`);
    return await withLock(set.lock, "exclusive", async () => {
        const network = await ensureSet(set);
        const places = Array.from({ length: count }, (_, index) => hostPlaces(set, index + 1, root));
        await settled(
            places.map(async (place) => {
                const record = (await readRecord<HostRecord>(place.record)) ?? (await make(set, place, network, diskBytes, false));
                if (record.cut) await writeRecord(place.record, { ...record, cut: false });
                if ((await initPid(place)) === undefined) await switchOn(set, place, root, network, false);
                else await plug(place, true);
            }),
        );
        await writeSshFiles(set, root, network);
        return await Promise.all(places.map((place) => describe(set, place, network)));
    });
}

/** Switches all hosts of the set off and removes everything it owns, crash leftovers included. Without a set nothing is done. */
export async function down(options: { readonly prefix?: string } = {}): Promise<void> {
    const root = await requireMachine();
    const set = setPlaces(options.prefix ?? DEFAULT_PREFIX);
    await withLock(set.lock, "exclusive", async () => {
        const numbers = new Set([...(await madeNumbers(set)), ...(await cgroupNumbers(set, root)), ...(await cabledNumbers(set))]);
        await settled(
            [...numbers].map(async (number) => {
                const place = hostPlaces(set, number, root);
                await switchOff(place);
                await erase(place);
            }),
        );
        await removeBridge(set);
        await rm(set.directory, { recursive: true, force: true });
        await rm(set.lock);
    });
    await removeEmptyBase();
}

/** The hosts of a set in the order of their numbers; none when there is no such set. */
export async function list(options: { readonly prefix?: string } = {}): Promise<HostInfo[]> {
    const set = setPlaces(options.prefix ?? DEFAULT_PREFIX);
    const record = await readRecord<SetRecord>(set.record);
    if (record === undefined) return [];
    const root = await cgroupRoot();
    const places = (await madeNumbers(set)).map((number) => hostPlaces(set, number, root));
    const made = await Promise.all(
        places.map(async (place) => ((await readRecord<HostRecord>(place.record)) === undefined ? [] : [place])),
    );
    return await Promise.all(made.flat().map((place) => describe(set, place, record.network)));
}

/** Everything in the host dies at once; its disk stays. */
export async function powerOff(host: HostRef): Promise<HostInfo> {
    return await withHost(host, async ({ place }) => switchOff(place));
}

/** Starts a host that is off and waits for its systemd; one that is on is left alone. A pulled cable stays pulled. */
export async function powerOn(host: HostRef): Promise<HostInfo> {
    return await withHost(host, async ({ set, place, root, network, record }) => {
        if ((await initPid(place)) === undefined) await switchOn(set, place, root, network, record.cut);
    });
}

/** Pulls the cable: packets go nowhere, without any word to either side. */
export async function cut(host: HostRef): Promise<HostInfo> {
    return await withHost(host, async ({ place, record }) => {
        await writeRecord(place.record, { ...record, cut: true });
        if ((await initPid(place)) !== undefined) await plug(place, false);
    });
}

/** Puts the cable in again. */
export async function join(host: HostRef): Promise<HostInfo> {
    return await withHost(host, async ({ place, record }) => {
        await writeRecord(place.record, { ...record, cut: false });
        if ((await initPid(place)) !== undefined) await plug(place, true);
    });
}

/** Another installation at the same address: blank disk, new machine id and, unless kept, new host keys. Ends switched on. */
export async function reinstall(host: HostRef, options: { readonly keepHostKey?: boolean } = {}): Promise<HostInfo> {
    const keepHostKey = options.keepHostKey ?? false;
    return await withHost(host, async ({ set, place, root, network, record }) => {
        await switchOff(place);
        await make(set, place, network, record.diskBytes, keepHostKey);
        await switchOn(set, place, root, network, false);
        await writeSshFiles(set, root, network);
    });
}

/** Runs a command as root in the host without SSH, so also while it is cut off. An exit status other than 0 is a result. */
export async function exec(host: HostRef, argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const name = typeof host === "string" ? host : host.name;
    const { prefix, number } = parseHostName(name);
    const pid = await initPid(hostPlaces(setPlaces(prefix), number, await cgroupRoot()));
    if (pid === undefined) throw new DevError(`The test host ${name} is not running: start it with \`zeroform dev power-on ${name}\`.`);
    return await enter(pid, argv, options);
}

/** Arguments of `ssh` that reach the hosts of a set with their key and known host keys, and nothing of the user's. */
export function sshArguments(prefix: string): string[] {
    return ["-F", setPlaces(prefix).sshConfig];
}

interface Opened {
    readonly set: SetPlaces;
    readonly place: HostPlaces;
    readonly root: string;
    readonly network: number;
    readonly record: HostRecord;
}

/** One at a time a host; other hosts of the set go on meanwhile, `up` and `down` wait. */
async function withHost(host: HostRef, action: (opened: Opened) => Promise<void>): Promise<HostInfo> {
    const root = await requireMachine();
    const name = typeof host === "string" ? host : host.name;
    const { prefix, number } = parseHostName(name);
    const set = setPlaces(prefix);
    const place = hostPlaces(set, number, root);
    const open = async (): Promise<Opened> => {
        const made = await readRecord<SetRecord>(set.record);
        const record = await readRecord<HostRecord>(place.record);
        if (made === undefined || record === undefined) {
            const known = (await list({ prefix })).map((info) => info.name).join(", ");
            throw new DevError(
                `There is no test host ${name}: ${known === "" ? `none with the prefix ${prefix} exists, \`zeroform dev up\` makes some` : `there are ${known}`}.`,
            );
        }
        return { set, place, root, network: made.network, record };
    };
    await open();
    return await withLock(set.lock, "shared", async () => {
        await open();
        return await withLock(`${place.directory}/lock`, "exclusive", async () => {
            const opened = await open();
            await action(opened);
            return await describe(set, place, opened.network);
        });
    });
}

/** Directory, keys, device nodes and bridge of a set, and the network it has. */
async function ensureSet(set: SetPlaces): Promise<number> {
    let record = await readRecord<SetRecord>(set.record);
    if (record === undefined) {
        record = await withLock(BASE_LOCK, "exclusive", async () => {
            const network = await freeNetwork();
            await rm(set.directory, { recursive: true, force: true });
            await mkdir(set.hosts, { recursive: true, mode: 0o755 });
            await must("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", `zeroform test hosts ${set.prefix}`, "-f", set.identityFile]);
            await makeDevices(set);
            await writeRecord(set.record, { network });
            return { network };
        });
    }
    await ensureBridge(set, record.network);
    return record.network;
}

/** The machine's own device nodes, and loop devices the kernel may add later: a host's /dev is its own, so it learns of no new ones. */
async function makeDevices(set: SetPlaces): Promise<void> {
    const script = `
set -eu
mkdir -p "$1/net"
for node in null zero full random urandom tty ptmx fuse net/tun loop-control btrfs-control kvm vhost-net; do
    if [ -c "/dev/$node" ]; then cp -a "/dev/$node" "$1/$node"; fi
done
rm -f "$1/ptmx"
ln -s pts/ptmx "$1/ptmx"
ln -s null "$1/console"
ln -s /proc/self/fd "$1/fd"
ln -s fd/0 "$1/stdin"
ln -s fd/1 "$1/stdout"
ln -s fd/2 "$1/stderr"
number=0
while [ "$number" -lt 256 ]; do
    mknod -m 660 "$1/loop$number" b 7 "$number"
    number=$((number + 1))
done
`;
    await must("sh", ["-c", script, "sh", set.devices]);
}

async function make(set: SetPlaces, place: HostPlaces, network: number, diskBytes: number, keepHostKey: boolean): Promise<HostRecord> {
    await switchOff(place);
    const hostKey = await install(set, place, network, diskBytes, keepHostKey);
    const record: HostRecord = { diskBytes, hostKey, cut: false };
    await writeRecord(place.record, record);
    return record;
}

async function describe(set: SetPlaces, place: HostPlaces, network: number): Promise<HostInfo> {
    const record = await readRecord<HostRecord>(place.record);
    const pid = await initPid(place);
    const running = record?.cut === true ? "cut" : "up";
    return {
        name: place.name,
        address: addressOf(network, place.number),
        port: 22,
        user: "root",
        identityFile: set.identityFile,
        hostKey: record?.hostKey ?? "",
        ...(pid === undefined ? {} : { pid }),
        state: pid === undefined ? "off" : running,
        diskBytes: record?.diskBytes ?? 0,
    };
}

async function writeSshFiles(set: SetPlaces, root: string, network: number): Promise<void> {
    const numbers = await madeNumbers(set);
    const hosts = await Promise.all(numbers.map((number) => describe(set, hostPlaces(set, number, root), network)));
    await writeFile(set.knownHosts, hosts.map((host) => `${host.address} ${host.hostKey}\n`).join(""));
    const shared = `Host *\n    User root\n    IdentityFile ${set.identityFile}\n    IdentitiesOnly yes\n    IdentityAgent none\n    UserKnownHostsFile ${set.knownHosts}\n    GlobalKnownHostsFile /dev/null\n    StrictHostKeyChecking yes\n`;
    await writeFile(set.sshConfig, hosts.map((host) => `Host ${host.name}\n    HostName ${host.address}\n`).join("") + shared);
}

async function madeNumbers(set: SetPlaces): Promise<number[]> {
    const names = await readdir(set.hosts).catch(() => []);
    return names.flatMap((name) => Number(/^[1-9][0-9]?$/.exec(name)?.[0] ?? 0) || []).sort((a, b) => a - b);
}

/** With the last set gone nothing of ours stays on the machine. */
async function removeEmptyBase(): Promise<void> {
    await withLock(BASE_LOCK, "exclusive", async () => {
        if ((await readdir(BASE)).join() !== "lock") return;
        await rm(BASE_LOCK);
        await rmdir(BASE).catch(() => undefined);
    });
}

/** All end before the first failure is thrown: nothing goes on behind the caller's back. */
async function settled(work: readonly Promise<unknown>[]): Promise<void> {
    for (const result of await Promise.allSettled(work)) {
        if (result.status === "rejected") throw result.reason;
    }
}
