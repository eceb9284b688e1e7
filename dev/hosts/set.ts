import { mkdir, readdir, rm, rmdir } from "node:fs/promises";
import { DevError } from "../dev-error.ts";
import { cgroupNumbers } from "./cgroup.ts";
import { must } from "./command.ts";
import { DEFAULT_PREFIX, describe, type HostInfo, madeNumbers, writeSshFiles } from "./info.ts";
import { makeRoomForWatches } from "./inotify.ts";
import { erase, install } from "./installation.ts";
import { withLock } from "./lock.ts";
import { requireMachine } from "./machine.ts";
import { cabledNumbers, ensureBridge, freeNetwork, plugIn, removeBridge } from "./network.ts";
import { BASE, BASE_LOCK, HOSTS_MAX, hostPlaces, type SetPlaces, setPlaces } from "./places.ts";
import { ensureOn, switchOff } from "./power.ts";
import { type HostRecord, readRecord, type SetRecord, writeRecord } from "./records.ts";

export interface UpOptions {
    readonly prefix?: string;
    /** How many hosts there shall be at least. Default 1. */
    readonly count?: number;
    /** Size of the data disk of hosts made now; sparse. Default 20 GiB. */
    readonly diskBytes?: number;
}

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
        await makeRoomForWatches(count);
        const network = await ensureSet(set);
        const places = Array.from({ length: count }, (_, index) => hostPlaces(set, index + 1, root));
        await settled(
            places.map(async (place) => {
                const record = (await readRecord<HostRecord>(place.record)) ?? (await install(set, place, network, diskBytes, false));
                if (record.cut) await writeRecord(place.record, { ...record, cut: false });
                await ensureOn(set, place, root, network, false);
                await plugIn(set, place, network);
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
