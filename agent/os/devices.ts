import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, readdir, readFile, realpath, stat } from "node:fs/promises";
import { ZeroformError } from "../../protocol/errors.ts";
import type { Filesystem } from "../../schema/zmount.ts";
import { absentAs } from "./files.ts";
import { type Identity, uuidIn } from "./formats/format.ts";
import { formats } from "./formats/index.ts";
import { readMounts } from "./mountinfo.ts";
import { deviceNumber } from "./mounts.ts";
import { processes } from "./processes.ts";
import { run } from "./program.ts";
import { writeAll } from "./write-all.ts";

/** A block device of the machine. */
export interface Device {
    /** The kernel's own name of it, which may be another's after the next boot: `/dev/sdb`. */
    readonly path: string;
    /** `major:minor` */
    readonly number: string;
    readonly bytes: number;
    readonly readOnly: boolean;
    /** What tells this disk from every other one, on other machines too; undefined where nothing does. */
    readonly disk: string | undefined;
}

/** Whole block devices, which belong to somebody unless they are proven empty. */
export interface Devices {
    /** What a path names, links followed; undefined: nothing. */
    find(path: string): Promise<Device | "no block device" | undefined>;
    /** The device of a number such as `8:16`; undefined: it was taken off the machine. */
    byNumber(number: string): Promise<Device | undefined>;
    /** All devices with a file system of this format and UUID: one, or several where a disk is reached by two ways or was copied. */
    withUuid(uuid: string, filesystem: Filesystem): Promise<readonly Device[]>;
    /** What is on it, or who has it; undefined: it is empty and nobody's. */
    claim(device: Device): Promise<Claim | undefined>;
    /** Makes a file system over all of it, and makes it last. */
    format(device: Device, filesystem: Filesystem, identity: Identity, signal: AbortSignal): Promise<void>;
    /** Makes both of its ends zero, the first one, by which a file system is known, at last. Refused by the kernel while it is in use. */
    clear(device: Device): Promise<void>;
}

/** Why a device is not free to be taken. */
export type Claim =
    | { readonly by: "user"; readonly words: string }
    | { readonly by: "signature"; readonly words: string; readonly uuids: readonly string[] }
    | { readonly by: "bytes"; readonly words: string };

/** What is told apart by its first or last bytes alone begins or ends with them: superblocks, partition tables, RAID members. */
const END_BYTES = 2 ** 20;
/** /sys counts in these, whatever the block size of the device. */
const SECTOR_BYTES = 512;
/** Where the kernel shows a name that the disk itself brings, from its directory or that of the disk that it is a part of. */
const NAMES = ["wwid", "device/wwid", "serial", "device/serial", "dm/uuid", "md/uuid", "loop/backing_file"];

export const devices: Devices = {
    find: async (path) => {
        const canonical = await absentAs(undefined, () => realpath(path));
        if (canonical === undefined) return undefined;
        const found = await stat(canonical);
        if (!found.isBlockDevice()) return "no block device";
        return describe(canonical, deviceNumber(found.rdev));
    },

    byNumber: async (number) => {
        const event = await attribute(`/sys/dev/block/${number}/uevent`);
        const name = /^DEVNAME=(.+)$/m.exec(event ?? "")?.[1];
        return name === undefined ? undefined : describe(`/dev/${name}`, number);
    },

    withUuid: async (uuid, filesystem) => {
        const found: Device[] = [];
        for (const name of await absentAs([], () => readdir("/sys/class/block"))) {
            const number = await attribute(`/sys/class/block/${name}/dev`);
            const device = number === undefined ? undefined : await devices.byNumber(number);
            if (device !== undefined && device.bytes > 0 && (await readableUuid(device.path, filesystem)) === uuid) found.push(device);
        }
        return found;
    },

    claim: async (device) => (await userOf(device)) ?? (await signaturesOn(device)) ?? (await bytesOn(device)),

    format: async (device, filesystem, identity, signal) => {
        await formats[filesystem].make(device.path, identity, signal);
        await opened(device.path, constants.O_RDWR, (handle) => handle.sync());
    },

    clear: (device) =>
        opened(device.path, constants.O_RDWR | constants.O_EXCL, async (handle) => {
            const nothing = Buffer.alloc(Math.min(END_BYTES, device.bytes));
            for (const at of [device.bytes - nothing.length, 0]) {
                await writeAll(handle, nothing, at);
                await handle.sync();
            }
        }).catch((failure: unknown) => {
            if (!isBusy(failure)) throw failure;
            throw new ZeroformError(
                { code: "IN_USE", message: `${device.path} is in use by somebody else`, hint: "Let go of it first.", retryable: true },
                failure,
            );
        }),
};

const isBusy = (failure: unknown): boolean => failure instanceof Error && "code" in failure && failure.code === "EBUSY";

const describe = async (path: string, number: string): Promise<Device | undefined> => {
    const sys = `/sys/dev/block/${number}`;
    const [sectors, readOnly] = await Promise.all([attribute(`${sys}/size`), attribute(`${sys}/ro`)]);
    if (sectors === undefined) return undefined;
    const bytes = Number(sectors) * SECTOR_BYTES;
    return { path, number, bytes, readOnly: readOnly !== "0", disk: await diskOf(sys, bytes) };
};

/** A partition is told by its disk and by where it begins on it. */
const diskOf = async (sys: string, bytes: number): Promise<string | undefined> => {
    const start = await attribute(`${sys}/start`);
    const own = start === undefined ? sys : `${await realpath(sys)}/..`;
    for (const name of NAMES) {
        const value = await attribute(`${own}/${name}`);
        if (value)
            return createHash("sha256")
                .update(`${bytes} ${start ?? 0} ${value}`)
                .digest("hex")
                .slice(0, 32);
    }
    return undefined;
};

const userOf = async ({ path, number }: Device): Promise<Claim | undefined> => {
    const user = (words: string): Claim => ({ by: "user", words });
    const mounted = (await readMounts()).find((mount) => mount.device === number || mount.source === path);
    if (mounted !== undefined) return user(`it is mounted at ${mounted.target}`);
    const swaps = await absentAs("", () => readFile("/proc/swaps", "utf8"));
    if (swaps.split("\n").some((line) => line.startsWith(`${path} `) || line.startsWith(`${path}\t`))) return user("it is used as swap");
    const sys = `/sys/dev/block/${number}`;
    const [holder] = await absentAs([], () => readdir(`${sys}/holders`));
    if (holder !== undefined) return user(`${holder} is made of it`);
    for (const name of await absentAs([], () => readdir(sys)))
        if ((await attribute(`${sys}/${name}/partition`)) !== undefined) return user(`it has partitions (${name})`);
    const { stdout } = await run("losetup", ["--associated", path, "--noheadings", "--output", "NAME"]);
    if (stdout.trim() !== "") return user(`${stdout.trim().split("\n")[0]} is made of it`);
    // udev looks into what has just been written.
    const opener = (await processes.opening(path)).find(({ unit }) => unit !== "systemd-udevd.service");
    return opener && user(`${opener.name} has it open`);
};

const signaturesOn = async ({ path }: Device): Promise<Claim | undefined> => {
    const { stdout } = await run("wipefs", ["--no-act", "--json", "--output", "TYPE,UUID", path]);
    if (stdout.trim() === "") return undefined;
    const { signatures } = JSON.parse(stdout) as {
        readonly signatures: readonly { readonly type: string; readonly uuid: string | null }[];
    };
    if (signatures.length === 0) return undefined;
    const types = [...new Set(signatures.map(({ type }) => type))].join(", ");
    return { by: "signature", words: `it has ${types} on it`, uuids: signatures.flatMap(({ uuid }) => uuid ?? []) };
};

/** Asked of the kernel for itself alone, so that whoever else has it in a way not looked for is noticed. */
const bytesOn = async ({ path, bytes }: Device): Promise<Claim | undefined> => {
    const length = Math.min(END_BYTES, bytes);
    try {
        return await opened(path, constants.O_RDONLY | constants.O_EXCL, async (handle): Promise<Claim | undefined> => {
            for (const [end, at] of [["first", 0] as const, ["last", bytes - length] as const]) {
                const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, at);
                if (bytesRead < length || buffer.some((byte) => byte !== 0)) return { by: "bytes", words: `its ${end} MiB is not zero` };
            }
            return undefined;
        });
    } catch (failure) {
        if (isBusy(failure)) return { by: "user", words: "the kernel has it in use" };
        throw failure;
    }
};

const opened = async <T>(path: string, flags: number, act: (handle: FileHandle) => Promise<T>): Promise<T> => {
    const handle = await open(path, flags);
    try {
        return await act(handle);
    } finally {
        await handle.close();
    }
};

/** A device that cannot be read (no medium, a dead disk, a loop that is attached to nothing) has no file system of ours. */
const readableUuid = (path: string, filesystem: Filesystem): Promise<string | undefined> =>
    uuidIn(path, formats[filesystem]).catch(() => undefined);

/** An attribute that a device may not have, or that vanishes with it. */
const attribute = async (path: string): Promise<string | undefined> => {
    try {
        return (await readFile(path, "utf8")).trim();
    } catch {
        return undefined;
    }
};
