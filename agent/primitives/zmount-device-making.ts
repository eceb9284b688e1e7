import { ZeroformError } from "../../protocol/errors.ts";
import { bytesOf, formatSize } from "../../schema/quantity.ts";
import { smallestOf } from "../../schema/zmount.ts";
import type { Claim, Device } from "../os/devices.ts";
import { inTurn } from "../os/in-turn.ts";
import type { Os } from "../os/os.ts";
import type { Context } from "./driver.ts";
import {
    type DevicePlaces,
    type DeviceRecord,
    type Owner,
    ownerOf,
    readDeviceRecord,
    recordFromDevice,
    uuidOfLife,
    writeDeviceRecord,
} from "./zmount-device-record.ts";
import { broken } from "./zmount-mounting.ts";
import { type DeviceMount, isOnDevice, type ZMount } from "./zmount-places.ts";

/** Refuses a device that cannot be taken, before anything is stored. On one that holds data of a ZMount that is no more it waits, so that they can be restored into it. */
export const admitDevice = async (wanted: DeviceMount, context: Context): Promise<void> => {
    const { os } = context;
    const device = await requireDevice(wanted, os);
    for (const other of (context.resources("ZMount") as readonly ZMount[]).filter(isOnDevice)) {
        if (other.life === wanted.life) continue;
        const found = await os.devices.find(other.spec.device);
        if (other.spec.device === wanted.spec.device || (typeof found === "object" && found.number === device.number))
            throw taken(wanted, `it is ${ofWhom(other, wanted)}`, "Name another device, or remove that one first.");
    }
    const claim = await os.devices.claim(device);
    if (claim === undefined) return;
    const owner = await ownerOn(claim, os);
    if (owner === undefined || liveOne(owner, context) !== undefined) throw await notEmpty(wanted, device, claim, context);
};

/** Makes its file system, once: on a device that is empty, or that nobody else has written to since it was. */
export const ensureMade = async (resource: DeviceMount, places: DevicePlaces, context: Context): Promise<void> => {
    const { os } = context;
    const before = await readDeviceRecord(places.record, os);
    if (before !== undefined && before.state !== "making") return;
    const known = before === undefined ? await recordFromDevice(resource, os) : undefined;
    if (known !== undefined) return writeDeviceRecord(known, places, os);
    const device = await requireDevice(resource, os);
    await inTurn(device.number, async () => {
        const record =
            before === undefined ? await begin(resource, device, places, context) : await goOn(resource, before, device, context);
        await make(resource, record, device, places, context);
    });
};

const begin = async (resource: DeviceMount, device: Device, places: DevicePlaces, context: Context): Promise<DeviceRecord> => {
    const { os } = context;
    const { life, spec } = resource;
    const claim = await os.devices.claim(device);
    if (claim !== undefined) throw await notEmpty(resource, device, claim, context);
    const record: DeviceRecord = {
        state: "making",
        uuid: uuidOfLife(life),
        device: spec.device,
        disk: device.disk,
        grownTo: undefined,
        check: "quick",
    };
    await writeDeviceRecord(record, places, os);
    return record;
};

/** What a making that was cut off has left is taken off first. */
const goOn = async (resource: DeviceMount, record: DeviceRecord, device: Device, { os }: Context): Promise<DeviceRecord> => {
    const claim = await os.devices.claim(device);
    if (claim === undefined) return record;
    if (claim.by === "user")
        throw new ZeroformError({
            code: "IN_USE",
            message: `the making of its file system on ${resource.spec.device} was cut off, and now ${claim.words}`,
            hint: "It goes on by itself once nobody has the device.",
            retryable: true,
        });
    if (!isOurs(claim, record, device))
        throw broken(
            `the power went while a file system was made on ${resource.spec.device}, and now ${claim.words}, which may be somebody else's`,
            `Take it off (${howToEmpty(device)}) if it is not: then it goes on by itself.`,
        );
    await os.devices.clear(device);
    return record;
};

const make = async (
    resource: DeviceMount,
    record: DeviceRecord,
    device: Device,
    places: DevicePlaces,
    { os, progress, signal }: Context,
): Promise<void> => {
    const { filesystem } = resource.spec;
    progress(`making ${filesystem} on ${resource.spec.device}, ${formatSize(device.bytes)}`);
    await os.devices.format(device, filesystem, { uuid: record.uuid, label: "" }, signal);
    await writeDeviceRecord({ ...record, state: "made", grownTo: device.bytes }, places, os);
};

/** Takes off what a making that was cut off has left, where that can be told from what others wrote. */
export const unmake = async (record: DeviceRecord, os: Os): Promise<void> => {
    const device = await os.devices.find(record.device);
    if (device === undefined || device === "no block device") return;
    const claim = await os.devices.claim(device);
    if (claim !== undefined && isOurs(claim, record, device)) await os.devices.clear(device);
};

/** Its UUID is nobody else's. Bytes without a name are ours on the very disk that was empty when the record was written. */
const isOurs = (claim: Claim, record: DeviceRecord, device: Device): boolean => {
    if (claim.by === "signature") return claim.uuids.includes(record.uuid);
    return claim.by === "bytes" && record.disk !== undefined && record.disk === device.disk;
};

/** The device that the program names. */
const requireDevice = async ({ spec }: DeviceMount, os: Os): Promise<Device> => {
    const device = await os.devices.find(spec.device);
    if (device === undefined)
        throw invalid(`device ${spec.device} is not there`, "Name a block device of the node (`lsblk` there shows them).");
    if (device === "no block device")
        throw invalid(`device ${spec.device} is not a block device`, "Name a whole disk, a partition or a volume.");
    if (device.readOnly) throw invalid(`device ${spec.device} is read-only`, "Name one that can be written to.");
    const smallest = smallestOf(spec.filesystem);
    if (device.bytes < bytesOf(smallest))
        throw invalid(
            `device ${spec.device} has ${formatSize(device.bytes)}: a ZMount on ${spec.filesystem} is at least ${smallest}`,
            "Name a larger one.",
        );
    return device;
};

const notEmpty = async (resource: DeviceMount, device: Device, claim: Claim, context: Context): Promise<ZeroformError> => {
    const owner = await ownerOn(claim, context.os);
    if (owner === undefined)
        return taken(
            resource,
            claim.words,
            claim.by === "user"
                ? "Name another device."
                : `If nothing on it is needed any more, empty it (${howToEmpty(device)}); zeroform does not.`,
        );
    const live = liveOne(owner, context);
    if (live !== undefined) return taken(resource, `it is ${ofWhom(live, resource)}`, "Name another device, or remove that one first.");
    const data = `the data of ${owner.life} are on it, ${owner.inTrash ? "in the trash" : "which were kept"}`;
    const away = owner.inTrash ? `\`zeroform trash purge ${owner.life}\`` : `\`zeroform remove ${owner.life} --purge\``;
    return taken(resource, data, `\`zeroform trash restore ${owner.life}\` puts them into this ZMount, ${away} makes room for a new one.`);
};

/** What has a name of ours on it is somebody's. */
const ownerOn = (claim: Claim, os: Os): Promise<Owner | undefined> =>
    claim.by === "signature" ? ownerOf(claim.uuids, os) : Promise.resolve(undefined);

const liveOne = ({ life }: Owner, { resources }: Context): ZMount | undefined =>
    (resources("ZMount") as readonly ZMount[]).find((each) => each.life === life);

const ofWhom = (other: ZMount, resource: ZMount): string =>
    `that of ZMount "${other.name}"${other.tenant === resource.tenant ? "" : ` of another Node (${other.tenant})`}`;

const howToEmpty = ({ path }: Device) => `\`blkdiscard --zeroout ${path}\``;

const taken = ({ spec }: DeviceMount, why: string, hint: string) => invalid(`device ${spec.device} is not free: ${why}`, hint);

const invalid = (message: string, hint: string) => new ZeroformError({ code: "INVALID", message, hint });
