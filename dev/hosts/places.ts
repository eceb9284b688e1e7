import { DevError } from "../dev-error.ts";

/**
 * Names and paths of everything a set of test hosts owns. All of it follows from the prefix and the host's number, so that leftovers of a
 * crashed run are found without any record of it.
 */
export interface SetPlaces {
    readonly prefix: string;
    readonly directory: string;
    /** What the set is: its network. Written when the set is made. */
    readonly record: string;
    readonly lock: string;
    readonly hosts: string;
    /** Device nodes copied into each host's /dev. */
    readonly devices: string;
    readonly identityFile: string;
    readonly sshConfig: string;
    readonly knownHosts: string;
    readonly bridge: string;
}

export interface HostPlaces {
    readonly name: string;
    readonly number: number;
    readonly directory: string;
    /** What the host is. Written last, so that a host without it is a leftover. */
    readonly record: string;
    /** Beside its directory, which a new installation replaces. */
    readonly lock: string;
    readonly image: string;
    readonly upper: string;
    readonly work: string;
    readonly root: string;
    readonly bootLog: string;
    /** The bridge's end of its cable. */
    readonly port: string;
    readonly cgroup: string;
}

/** On the machine's own file system: an overlay's upper directory cannot lie on another overlay. */
export const BASE = process.env.ZEROFORM_DEV_DIR ?? "/var/lib/zeroform-dev";
export const BASE_LOCK = `${BASE}/lock`;

/** Interface names have 15 characters at most, and the longest is `<prefix>-<number>` with a number of two digits. */
const PREFIX = /^[a-z][a-z0-9]{0,11}$/;

export const isPrefix = (text: string): boolean => PREFIX.test(text);

/** One /24 a set, addresses from .11 on. */
export const HOSTS_MAX = 50;

export function setPlaces(prefix: string): SetPlaces {
    if (!PREFIX.test(prefix)) {
        throw new DevError(`"${prefix}" cannot be a prefix of test hosts: use 1 to 12 lower-case letters and digits, a letter first.`);
    }
    const directory = `${BASE}/${prefix}`;
    return {
        prefix,
        directory,
        record: `${directory}/set.json`,
        lock: `${BASE}/${prefix}.lock`,
        hosts: `${directory}/hosts`,
        devices: `${directory}/devices`,
        identityFile: `${directory}/id_ed25519`,
        sshConfig: `${directory}/ssh_config`,
        knownHosts: `${directory}/known_hosts`,
        bridge: `${prefix}-br`,
    };
}

export function hostPlaces(set: SetPlaces, number: number, cgroupRoot: string): HostPlaces {
    const name = `${set.prefix}-${number}`;
    const directory = `${set.hosts}/${number}`;
    return {
        name,
        number,
        directory,
        record: `${directory}/host.json`,
        lock: `${directory}.lock`,
        image: `${directory}/disk.img`,
        upper: `${directory}/upper`,
        work: `${directory}/work`,
        root: `${directory}/root`,
        bootLog: `${directory}/boot.log`,
        port: name,
        cgroup: `${cgroupRoot}/${name}`,
    };
}

/** `zf-2` is number 2 of the set `zf`; with a default prefix the bare number will do. */
export function parseHostName(name: string, defaultPrefix?: string): { readonly prefix: string; readonly number: number } {
    const match = /^(?:([a-z][a-z0-9]{0,11})-)?([1-9][0-9]?)$/.exec(name);
    const prefix = match?.[1] ?? defaultPrefix;
    if (match === null || prefix === undefined) {
        throw new DevError(
            `"${name}" is not the name of a test host: names look like ${defaultPrefix ?? "zf"}-1 (see \`zeroform dev list\`).`,
        );
    }
    return { prefix, number: Number(match[2]) };
}
