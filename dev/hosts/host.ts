import { DevError } from "../dev-error.ts";
import { initPid } from "./cgroup.ts";
import type { CommandOptions, CommandResult } from "./command.ts";
import { describe, type HostInfo, type HostRef, list, writeSshFiles } from "./info.ts";
import { install } from "./installation.ts";
import { withLock } from "./lock.ts";
import { cgroupRoot, requireMachine } from "./machine.ts";
import { plugIn, unplug } from "./network.ts";
import { type HostPlaces, hostPlaces, parseHostName, type SetPlaces, setPlaces } from "./places.ts";
import { ensureOn, enter, switchOff, switchOn } from "./power.ts";
import { type HostRecord, readRecord, type SetRecord, writeRecord } from "./records.ts";

/** Everything in the host dies at once; its disk stays. */
export async function powerOff(host: HostRef): Promise<HostInfo> {
    return await withHost(host, async ({ place }) => switchOff(place));
}

/** Starts a host that is off and waits for its systemd; one that is on is left alone. A pulled cable stays pulled. */
export async function powerOn(host: HostRef): Promise<HostInfo> {
    return await withHost(host, async ({ set, place, root, network, record }) => {
        await ensureOn(set, place, root, network, record.cut);
    });
}

/** Pulls the cable: packets go nowhere, without any word to either side. */
export async function cut(host: HostRef): Promise<HostInfo> {
    return await withHost(host, async ({ place, record }) => {
        await writeRecord(place.record, { ...record, cut: true });
        if ((await initPid(place)) !== undefined) await unplug(place);
    });
}

/** Puts the cable in again. */
export async function join(host: HostRef): Promise<HostInfo> {
    return await withHost(host, async ({ set, place, network, record }) => {
        await writeRecord(place.record, { ...record, cut: false });
        if ((await initPid(place)) !== undefined) await plugIn(set, place, network);
    });
}

/** Another installation at the same address: blank disk, new machine id and, unless kept, new host keys. Ends switched on. */
export async function reinstall(host: HostRef, options: { readonly keepHostKey?: boolean } = {}): Promise<HostInfo> {
    const keepHostKey = options.keepHostKey ?? false;
    return await withHost(host, async ({ set, place, root, network, record }) => {
        await install(set, place, network, record.diskBytes, keepHostKey);
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
        return await withLock(place.lock, "exclusive", async () => {
            const opened = await open();
            await action(opened);
            return await describe(set, place, opened.network);
        });
    });
}
