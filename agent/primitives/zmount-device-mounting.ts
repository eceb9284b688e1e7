import { ZeroformError } from "../../protocol/errors.ts";
import { formatSize } from "../../schema/quantity.ts";
import type { Device } from "../os/devices.ts";
import { formats } from "../os/formats/index.ts";
import type { Os } from "../os/os.ts";
import type { Context } from "./driver.ts";
import { hasShrunk } from "./zmount-device-observe.ts";
import { type DevicePlaces, type DeviceRecord, readDeviceRecord, writeDeviceRecord } from "./zmount-device-record.ts";
import { deviceUnitsFor } from "./zmount-device-units.ts";
import { growOnTheWay } from "./zmount-growth.ts";
import { broken, explained, requireOnlyOurs, stopMount, vanished } from "./zmount-mounting.ts";
import type { DeviceMount } from "./zmount-places.ts";

/** Mounts the device in its place, with the units that do the same at boot. */
export const ensureDeviceMounted = async (resource: DeviceMount, places: DevicePlaces, context: Context): Promise<void> => {
    const { os, progress, signal } = context;
    const record = await requireRecord(places, os);
    await os.mounts.preparePoint(places.mountPoint);
    await os.systemd.install(deviceUnitsFor(resource));
    if (await isGood(resource, record, places, os)) return;
    if ((await os.mounts.list()).has(places.mountPoint)) await unmountDevice(places, os);
    progress(`checking and mounting ${places.mountPoint}`);
    await os.systemd.start(places.mountUnit, signal).catch(async (failure: unknown) => {
        throw await whyNotMounted(failure, resource, record, places, os);
    });
    if ((await mountedDevice(places, os)) === undefined) throw vanished(places);
};

/** Makes its file system as large as the device has become. */
export const ensureDeviceGrown = async (resource: DeviceMount, places: DevicePlaces, context: Context): Promise<void> => {
    const { os, progress, signal } = context;
    const [record, device] = await Promise.all([requireRecord(places, os), mountedDevice(places, os)]);
    if (device === undefined) throw vanished(places);
    if (record.grownTo === device.bytes && record.check === "quick") return;
    if (record.grownTo !== undefined && device.bytes < record.grownTo)
        throw broken(
            hasShrunk(resource.spec.device, record.grownTo, device.bytes),
            "Make the device as large as it was, and copy away what can still be read.",
        );
    const size = formatSize(device.bytes);
    progress(`growing the file system to ${size}`);
    const mounted = { device: device.path, mountPoint: places.mountPoint };
    const isEnough = device.bytes >= (formats[resource.spec.filesystem].growsTo ?? 0);
    if (isEnough && (await os.images.grow(mounted, resource.spec.filesystem, signal)) === "refused") {
        const note = () => writeDeviceRecord({ ...record, grownTo: undefined, check: "full" }, places, os);
        await growOnTheWay(places, size, note, context);
    }
    await writeDeviceRecord({ ...record, grownTo: device.bytes, check: "quick" }, places, os);
};

/** Stops our own servers on it, and refuses while anybody else uses it. Unmounted already is fine. */
export const unmountDevice = async (places: DevicePlaces, os: Os): Promise<void> => {
    await requireOnlyOurs(places, os);
    await stopMount(places, os);
    await os.files.remove(places.link);
};

const isGood = async ({ spec }: DeviceMount, { uuid }: DeviceRecord, places: DevicePlaces, os: Os): Promise<boolean> => {
    const [mounted, device] = await Promise.all([os.mounts.list().then((all) => all.get(places.mountPoint)), mountedDevice(places, os)]);
    if (mounted === undefined || device === undefined || mounted.readOnly) return false;
    if (await os.mounts.isShutDown(places.mountPoint)) return false;
    return (await os.images.uuidOf(device.path, spec.filesystem)) === uuid;
};

/** The device that is mounted in its place. */
const mountedDevice = async ({ mountPoint }: DevicePlaces, os: Os): Promise<Device | undefined> => {
    const mounted = (await os.mounts.list()).get(mountPoint);
    return mounted && os.devices.byNumber(mounted.device);
};

const requireRecord = async (places: DevicePlaces, os: Os): Promise<DeviceRecord> => {
    const record = await readDeviceRecord(places.record, os);
    if (record !== undefined) return record;
    throw broken(`${places.record} is gone, which told its device`, "Put it back from a copy.");
};

const whyNotMounted = async (
    failure: unknown,
    resource: DeviceMount,
    record: DeviceRecord,
    places: DevicePlaces,
    os: Os,
): Promise<unknown> => {
    if (!(failure instanceof ZeroformError)) return failure;
    if ((await os.systemd.states()).get(places.deviceUnit)?.active !== "failed")
        return explained(failure, resource, { ...places, image: resource.spec.device }, os);
    const found = await os.devices.withUuid(record.uuid, resource.spec.filesystem);
    return found.length > 1 ? several(found, record) : away(record, places.record);
};

/** What cannot be seen is not what is not there. */
export const away = ({ device, uuid }: DeviceRecord, path: string): ZeroformError =>
    new ZeroformError({
        code: "NOT_READY",
        message: `its device is not there: nothing on this node has the file system ${uuid}, which was made on ${device}`,
        hint: `Attach the disk again, whatever its name is then; only if it is gone for good, with what is on it, remove ${path}.`,
        retryable: true,
    });

/** Writing to one of them could be writing to a copy. */
export const several = (found: readonly Device[], { device, uuid }: DeviceRecord): ZeroformError =>
    broken(
        `${found.map(({ path }) => path).join(" and ")} have the same file system ${uuid}, and neither is at ${device}`,
        "Take the copy off the machine, or make that path name the right one.",
    );
