import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { DevError } from "../dev-error.ts";
import { must, run } from "./command.ts";
import { BASE, type HostPlaces, type SetPlaces, setPlaces } from "./places.ts";
import { readRecord, type SetRecord } from "./records.ts";

export const gatewayOf = (network: number) => `10.199.${network}.1`;
export const addressOf = (network: number, number: number) => `10.199.${network}.${10 + number}`;

/** The same over power cycles, as a network card's: with a new one the neighbours' ARP entries would point nowhere for a while. */
export function macOf(place: HostPlaces): string {
    const digest = createHash("sha256").update(place.name).digest();
    return ["02", "7a", ...(digest.subarray(0, 4).toString("hex").match(/../g) ?? [])].join(":");
}

/** The lowest 10.199.x.0/24 that no interface, route or other set uses. */
export async function freeNetwork(): Promise<number> {
    const taken = new Set<number>();
    const text = (await must("ip", ["-4", "addr"])) + (await must("ip", ["-4", "route"]));
    for (const match of text.matchAll(/\b10\.199\.(\d+)\.\d+/g)) taken.add(Number(match[1]));
    for (const entry of await readdir(BASE, { withFileTypes: true })) {
        if (!entry.isDirectory()) continue;
        const record = await readRecord<SetRecord>(setPlaces(entry.name).record);
        if (record !== undefined) taken.add(record.network);
    }
    for (let network = 0; network < 256; network++) {
        if (!taken.has(network)) return network;
    }
    throw new DevError(
        "All of 10.199.0.0/16 is in use by this machine's interfaces, routes and test hosts: remove a set with `zeroform dev down --prefix <name>`.",
    );
}

export async function ensureBridge(set: SetPlaces, network: number): Promise<void> {
    if ((await run("ip", ["link", "show", set.bridge])).code !== 0) await must("ip", ["link", "add", set.bridge, "type", "bridge"]);
    await must("ip", ["addr", "replace", `${gatewayOf(network)}/24`, "dev", set.bridge]);
    await must("ip", ["link", "set", set.bridge, "up"]);
}

export async function removeBridge(set: SetPlaces): Promise<void> {
    await run("ip", ["link", "del", set.bridge]);
}

/** Lays the cable: one end in the bridge, the other as eth0 in the network namespace of the process. */
export async function connect(set: SetPlaces, place: HostPlaces, network: number, pid: number, cut: boolean): Promise<void> {
    await disconnect(place);
    const inside = ["peer", "name", "eth0", "address", macOf(place), "netns", String(pid)];
    await must("ip", ["link", "add", place.port, "type", "veth", ...inside]);
    await must("ip", ["link", "set", place.port, "master", set.bridge]);
    if (!cut) await plugIn(set, place, network);
}

export async function disconnect(place: HostPlaces): Promise<void> {
    await run("ip", ["link", "del", place.port]);
}

export async function plugIn(set: SetPlaces, place: HostPlaces, network: number): Promise<void> {
    await must("ip", ["link", "set", place.port, "up"]);
    // Whoever asked for the host while it was away would otherwise hear "no route" for some more seconds.
    await run("ip", ["neigh", "flush", "dev", set.bridge, "to", addressOf(network, place.number)]);
}

export async function unplug(place: HostPlaces): Promise<void> {
    await must("ip", ["link", "set", place.port, "down"]);
}

/** The numbers of this set's hosts that have a cable, whether anything else is left of them or not. */
export async function cabledNumbers(set: SetPlaces): Promise<number[]> {
    const names = await readdir("/sys/class/net");
    const pattern = new RegExp(`^${set.prefix}-([1-9][0-9]?)$`);
    return names.flatMap((name) => Number(pattern.exec(name)?.[1] ?? 0) || []);
}
