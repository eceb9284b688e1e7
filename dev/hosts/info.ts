import { readdir, writeFile } from "node:fs/promises";
import { initPid } from "./cgroup.ts";
import { cgroupRoot } from "./machine.ts";
import { addressOf } from "./network.ts";
import { BASE, type HostPlaces, hostPlaces, isPrefix, type SetPlaces, setPlaces } from "./places.ts";
import { type HostRecord, readRecord, type SetRecord } from "./records.ts";

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

export const DEFAULT_PREFIX = "zf";

/** The prefixes of all sets there are. */
export async function prefixes(): Promise<string[]> {
    const names = await readdir(BASE).catch(() => []);
    const sets = names.filter(isPrefix);
    const records = await Promise.all(sets.map((prefix) => readRecord<SetRecord>(setPlaces(prefix).record)));
    return sets.filter((_, index) => records[index] !== undefined).sort();
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

/** Arguments of `ssh` that reach the hosts of a set with their key and known host keys, and nothing of the user's. */
export function sshArguments(prefix: string): string[] {
    return ["-F", setPlaces(prefix).sshConfig];
}

export async function describe(set: SetPlaces, place: HostPlaces, network: number): Promise<HostInfo> {
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

/** The files that let plain `ssh` reach the hosts of a set without touching anything of the user. */
export async function writeSshFiles(set: SetPlaces, root: string, network: number): Promise<void> {
    const numbers = await madeNumbers(set);
    const hosts = await Promise.all(numbers.map((number) => describe(set, hostPlaces(set, number, root), network)));
    await writeFile(set.knownHosts, hosts.map((host) => `${host.address} ${host.hostKey}\n`).join(""));
    const shared = `Host *\n    User root\n    IdentityFile ${set.identityFile}\n    IdentitiesOnly yes\n    IdentityAgent none\n    UserKnownHostsFile ${set.knownHosts}\n    GlobalKnownHostsFile /dev/null\n    StrictHostKeyChecking yes\n`;
    await writeFile(set.sshConfig, hosts.map((host) => `Host ${host.name}\n    HostName ${host.address}\n`).join("") + shared);
}

/** The numbers of the hosts that have files, complete or not. */
export async function madeNumbers(set: SetPlaces): Promise<number[]> {
    const names = await readdir(set.hosts).catch(() => []);
    return names.flatMap((name) => Number(/^[1-9][0-9]?$/.exec(name)?.[0] ?? 0) || []).sort((a, b) => a - b);
}
