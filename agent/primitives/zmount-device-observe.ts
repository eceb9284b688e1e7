import type { Life } from "../../protocol/ids.ts";
import { formatSize } from "../../schema/quantity.ts";
import type { zmount } from "../../schema/zmount.ts";
import { formats } from "../os/formats/index.ts";
import type { Os } from "../os/os.ts";
import type { Observation } from "./driver.ts";
import { type DeviceRecord, devicePlacesOf, readDeviceRecord, recordFromDevice } from "./zmount-device-record.ts";
import { deviceUnitsFor } from "./zmount-device-units.ts";
import { failureOf } from "./zmount-observe.ts";
import type { DeviceMount } from "./zmount-places.ts";

/** What the node shows about one ZMount on a device. */
export interface DeviceFacts {
    readonly record: DeviceRecord | undefined;
    /** Without a record: its device tells that it is its own. */
    readonly known: boolean;
    readonly mount:
        | {
              /** What its file system did to itself after an error. */
              readonly failed: "read-only" | "shut down" | undefined;
              /** `other`: what is mounted is not ours. `none`: what was mounted is no device of the machine any more. */
              readonly of: "ours" | "other" | "none";
              readonly bytes: number;
          }
        | undefined;
    readonly unitsInstalled: boolean;
}

export type AllDeviceFacts = ReadonlyMap<Life, DeviceFacts>;

export const gatherDevices = async (os: Os, resources: readonly DeviceMount[]): Promise<AllDeviceFacts> => {
    if (resources.length === 0) return new Map();
    const mounts = await os.mounts.list();
    return new Map(
        await Promise.all(
            resources.map(async (resource): Promise<[Life, DeviceFacts]> => {
                const places = devicePlacesOf(resource);
                const mounted = mounts.get(places.mountPoint);
                const [record, units, device, shutDown] = await Promise.all([
                    readDeviceRecord(places.record, os),
                    Promise.all(deviceUnitsFor(resource).map((unit) => os.systemd.installed(unit))),
                    mounted && os.devices.byNumber(mounted.device),
                    mounted && os.mounts.isShutDown(places.mountPoint),
                ]);
                const uuid = device && (await os.images.uuidOf(device.path, resource.spec.filesystem).catch(() => undefined));
                return [
                    resource.life,
                    {
                        record,
                        known: record === undefined && (await recordFromDevice(resource, os)) !== undefined,
                        mount: mounted && {
                            failed: failureOf(mounted.readOnly, shutDown ?? false),
                            of: kindOf(mounted.type, device !== undefined, uuid !== undefined && uuid === record?.uuid),
                            bytes: device?.bytes ?? 0,
                        },
                        unitsInstalled: units.every(Boolean),
                    },
                ];
            }),
        ),
    );
};

/** A file system that needs no device was mounted by somebody else. */
const kindOf = (type: string, hasDevice: boolean, isOurs: boolean) => {
    if (isOurs) return "ours";
    return hasDevice || !Object.keys(formats).includes(type) ? "other" : "none";
};

/** Judges a ZMount on a device by the facts alone. It is never gone: a device that is away comes back, or a person says that it does not. */
export const observeDevice = (resource: DeviceMount, facts: AllDeviceFacts): Observation<typeof zmount> => {
    const found = facts.get(resource.life);
    if (found === undefined) return { state: "absent" };
    if (found.record === undefined && !found.known && found.mount === undefined) return { state: "absent" };
    const bytes = found.mount?.of === "ours" ? found.mount.bytes : found.record?.grownTo;
    const outputs = { path: devicePlacesOf(resource).mountPoint, ...(bytes !== undefined && { sizeBytes: bytes }) };
    const why = driftOf(found, resource.spec.device);
    return why === undefined ? { state: "ready", outputs } : { state: "drifted", why, outputs };
};

const driftOf = ({ record, mount, unitsInstalled }: DeviceFacts, device: string): string | undefined => {
    if (record === undefined) return "the record of its device is gone";
    if (record.state !== "made") return `its file system is not complete on ${device}`;
    if (!unitsInstalled) return "its unit files are gone or changed";
    if (mount === undefined) return "not mounted";
    if (mount.of === "none") return `its device ${device} was taken off the machine while it was mounted`;
    if (mount.of === "other") return "something else is mounted in its place";
    if (mount.failed !== undefined) return `${mount.failed} after an error of its file system`;
    if (record.grownTo === undefined) return "its file system has not grown to its device's size yet";
    if (mount.bytes < record.grownTo) return hasShrunk(device, record.grownTo, mount.bytes);
    if (mount.bytes > record.grownTo) return "its file system has not grown to its device's size yet";
    return undefined;
};

export const hasShrunk = (device: string, before: number, now: number): string =>
    `its device ${device} has shrunk from ${formatSize(before)} to ${formatSize(now)}: its file system goes on beyond the end`;
