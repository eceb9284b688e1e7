import { readdir, readFile, readlink } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { absentAs } from "./files.ts";
import { gone, nameOf } from "./processes.ts";

/** A TCP socket that listens on this machine. */
export interface Listener {
    /** IP address as text, `::` and `0.0.0.0` for all. */
    readonly address: string;
    readonly port: number;
    readonly inode: number;
}

/** TCP ports of this machine. */
export interface Ports {
    /** `maxAgeMs`: what was read so long ago will do. The kernel looks through all of its connections, which takes it milliseconds. @default 0 */
    listeners(maxAgeMs?: number): Promise<readonly Listener[]>;
    /** The process that holds a listening socket, such as `nginx (pid 812)`. */
    holder(listener: Listener): Promise<string>;
    /** Addresses of this machine's interfaces. */
    addresses(): readonly string[];
}

/** State of a listening socket in /proc/net/tcp. */
const LISTEN = "0A";

export const ports: Ports = {
    listeners: async (maxAgeMs = 0) => {
        const atMs = performance.now();
        if (known === undefined || atMs - known.atMs >= maxAgeMs) {
            const reading = readListeners();
            known = { atMs, listeners: reading };
            reading.catch(() => {
                known = undefined;
            });
        }
        return known.listeners;
    },

    holder: async (listener) => {
        const socket = `socket:[${listener.inode}]`;
        for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
            for (const descriptor of await gone([], () => readdir(`/proc/${pid}/fd`))) {
                if ((await gone("", () => readlink(`/proc/${pid}/fd/${descriptor}`))) === socket) return nameOf(pid);
            }
        }
        return "another program";
    },

    addresses: () => Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address)),
};

/** What was read last. */
let known: { readonly atMs: number; readonly listeners: Promise<readonly Listener[]> } | undefined;

const readListeners = async (): Promise<readonly Listener[]> => {
    const tables = await Promise.all(["/proc/net/tcp", "/proc/net/tcp6"].map((table) => absentAs("", () => readFile(table, "utf8"))));
    return tables.flatMap(parseListeners);
};

/** Listening sockets of a table as in proc_net_tcp(5). */
export const parseListeners = (table: string): readonly Listener[] =>
    table.split("\n").flatMap((line) => {
        // sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode ...
        const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
        const [address, port] = (local ?? "").split(":");
        if (state !== LISTEN || address === undefined || port === undefined) return [];
        return [{ address: addressOf(address), port: Number.parseInt(port, 16), inode: Number(inode) }];
    });

/** The kernel prints addresses as 32-bit words in the machine's byte order, little-endian on all machines we run on. */
const addressOf = (hex: string): string => {
    const words = hex.match(/.{8}/g) ?? [];
    const bytes = words.flatMap((word) => (word.match(/../g) ?? []).reverse().map((byte) => Number.parseInt(byte, 16)));
    if (bytes.length === 4) return bytes.join(".");
    const groups = Array.from({ length: 8 }, (_, index) => ((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0));
    if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) return bytes.slice(12).join(".");
    return shortest(groups);
};

/** The usual text of an IPv6 address (RFC 5952): the longest run of zeros left out. */
const shortest = (groups: readonly number[]): string => {
    let [start, length] = [0, 0];
    for (let from = 0; from < groups.length; from++) {
        let to = from;
        while (groups[to] === 0) to++;
        if (to - from > length) [start, length] = [from, to - from];
    }
    const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
    return length < 2 ? text(groups) : `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
};
