import { createHash } from "node:crypto";
import type { Life } from "../../protocol/ids.ts";
import { DEVICE_RUN, POOL, SERVICES } from "../../protocol/layout.ts";
import type { Os } from "../os/os.ts";
import { mountUnitOf } from "../os/unit-names.ts";
import { type DeviceMount, mountPointOf } from "./zmount-places.ts";
import { fieldsOf } from "./zmount-units.ts";

/** Where everything of a ZMount on a device is; all names come from its life. */
export interface DevicePlaces {
    /** Names the device while it is mounted. */
    readonly link: string;
    readonly mountPoint: string;
    readonly mountUnit: string;
    readonly deviceUnit: string;
    readonly checkUnit: string;
    readonly record: string;
}

export const devicePlacesOf = ({ life }: Pick<DeviceMount, "life">): DevicePlaces => ({
    link: `${DEVICE_RUN}/${life}`,
    mountPoint: mountPointOf(life),
    mountUnit: mountUnitOf(mountPointOf(life)),
    deviceUnit: `zeroform-device@${life}.service`,
    checkUnit: `zeroform-fsck@${life}.service`,
    record: `${SERVICES}/zmount-${life}.env`,
});

const TRASH = `${POOL}/.trash`;

/** The record of data in the trash: the data themselves stay on their device. */
export const trashedRecord = ({ life }: Pick<DeviceMount, "life">): string => `${TRASH}/${life}.device`;

/** The UUID of the file system that a life makes: by it a device tells whose it is when the record is lost. */
export const uuidOfLife = (life: Life): string => {
    const bytes = createHash("sha256").update(`zeroform ZMount ${life}`).digest().subarray(0, 16);
    // Version 8 and variant, as RFC 9562 has them for what is made in a way of one's own.
    bytes[6] = (Number(bytes[6]) & 0x0f) | 0x80;
    bytes[8] = (Number(bytes[8]) & 0x3f) | 0x80;
    return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
};

/** What is known of a file system of ours on a device; its units read it too. */
export interface DeviceRecord {
    /** `making`: the device was empty, and whatever is on it now may be cut off. `made`: never to be made again. `purging`: it may be gone already. */
    readonly state: "making" | "made" | "purging";
    /** By it the device is found, whatever the kernel calls it. */
    readonly uuid: string;
    /** As its program names it. */
    readonly device: string;
    /** What tells the disk from every other one. */
    readonly disk: string | undefined;
    /** Size of the device up to which its file system has been grown. */
    readonly grownTo: number | undefined;
    /** `full`: before it is grown while it is not in use. */
    readonly check: "quick" | "full";
}

export const formatDeviceRecord = (record: DeviceRecord, { link }: Pick<DevicePlaces, "link">): string =>
    [
        `IMAGE=${link}`,
        `CHECK=${record.check === "full" ? "-fp" : "-p"}`,
        `UUID=${record.uuid}`,
        `DEVICE=${record.device}`,
        `STATE=${record.state}`,
        ...(record.disk === undefined ? [] : [`DISK=${record.disk}`]),
        ...(record.grownTo === undefined ? [] : [`GROWN_TO=${record.grownTo}`]),
        "",
    ].join("\n");

export const parseDeviceRecord = (text: string | undefined): DeviceRecord | undefined => {
    const fields = fieldsOf(text);
    const [uuid, device, state] = ["UUID", "DEVICE", "STATE"].map((name) => fields.get(name));
    if (uuid === undefined || device === undefined) return undefined;
    const grownTo = Number(fields.get("GROWN_TO") ?? Number.NaN);
    return {
        state: state === "making" || state === "purging" ? state : "made",
        uuid,
        device,
        disk: fields.get("DISK"),
        grownTo: Number.isNaN(grownTo) ? undefined : grownTo,
        check: fields.get("CHECK") === "-fp" ? "full" : "quick",
    };
};

export const readDeviceRecord = async (path: string, os: Os): Promise<DeviceRecord | undefined> =>
    parseDeviceRecord(await os.files.readText(path));

/** The record of what a life made on the device that it names, told by the device itself when the record is lost. */
export const recordFromDevice = async ({ life, spec }: DeviceMount, os: Os): Promise<DeviceRecord | undefined> => {
    const device = await os.devices.find(spec.device);
    if (device === undefined || device === "no block device") return undefined;
    const uuid = await os.images.uuidOf(device.path, spec.filesystem);
    if (uuid !== uuidOfLife(life)) return undefined;
    return { state: "made", uuid, device: spec.device, disk: device.disk, grownTo: undefined, check: "quick" };
};

/** What is known of it, by its record or by its device. */
export const recordOf = async (resource: DeviceMount, os: Os): Promise<DeviceRecord | undefined> =>
    (await readDeviceRecord(devicePlacesOf(resource).record, os)) ?? (await recordFromDevice(resource, os));

/** At `path` instead of its own place: in the trash. */
export const writeDeviceRecord = (record: DeviceRecord, places: DevicePlaces, os: Os, path = places.record): Promise<void> =>
    os.files.writeText(path, formatDeviceRecord(record, places));

/** A record of somebody's data on a device, and where they are. */
export interface Owner {
    readonly life: Life;
    readonly record: DeviceRecord;
    readonly inTrash: boolean;
}

/** Whose file system this is. */
export const ownerOf = async (uuids: readonly string[], os: Os): Promise<Owner | undefined> => {
    const places = [
        { directory: SERVICES, name: /^zmount-(.+)\.env$/, inTrash: false },
        { directory: TRASH, name: /^(.+)\.device$/, inTrash: true },
    ];
    for (const { directory, name, inTrash } of places) {
        for (const file of await os.files.list(directory)) {
            const life = name.exec(file)?.[1];
            const record = life === undefined ? undefined : await readDeviceRecord(`${directory}/${file}`, os);
            if (life !== undefined && record !== undefined && uuids.includes(record.uuid)) return { life: life as Life, record, inTrash };
        }
    }
    return undefined;
};
