import { ZeroformError } from "../../protocol/errors.ts";
import type { Device } from "../os/devices.ts";
import type { Os } from "../os/os.ts";
import { admitDevice, ensureMade, unmake } from "./zmount-device-making.ts";
import { away, ensureDeviceGrown, ensureDeviceMounted, several, unmountDevice } from "./zmount-device-mounting.ts";
import { type DeviceRecord, devicePlacesOf, readDeviceRecord, recordOf, trashedRecord, writeDeviceRecord } from "./zmount-device-record.ts";
import { deviceMountUnitFor } from "./zmount-device-units.ts";
import { requireUnused } from "./zmount-mounting.ts";
import type { DeviceMount } from "./zmount-places.ts";
import type { Space } from "./zmount-space.ts";

/**
 * A ZMount on a block device is a file system over all of it, made once and then only found again, by its UUID. Its data never leave the
 * device: what goes to the trash is the record that tells whose they are.
 */
export const onDevice: Space<DeviceMount> = {
    async admit(wanted, old, context) {
        // What it has already cannot be refused; its device may be away at this moment.
        if (old === undefined) await admitDevice(wanted, context);
    },

    async apply(resource, context) {
        const places = devicePlacesOf(resource);
        await ensureMade(resource, places, context);
        await ensureDeviceMounted(resource, places, context);
        await ensureDeviceGrown(resource, places, context);
    },

    trashPlace: trashedRecord,
    trashPlaceNow: () => Promise.resolve(undefined),
    keptPlace: (resource) => devicePlacesOf(resource).record,

    async remove(resource, place, { os }) {
        const { files, mounts, systemd } = os;
        const places = devicePlacesOf(resource);
        const wasMoved = place !== undefined && (await files.stat(place)) !== undefined;
        const record = await (wasMoved ? readDeviceRecord(places.record, os) : recordOf(resource, os));
        await requireUnused(places, os);
        await unmountDevice(places, os);
        await systemd.uninstall([deviceMountUnitFor(resource)]);
        if (record?.state === "making") await unmake(record, os);
        if (place !== undefined && record !== undefined && record.state !== "making") await writeDeviceRecord(record, places, os, place);
        // Kept data are told by their record.
        if (place !== undefined || record?.state === "making") await files.remove(places.record);
        await mounts.removePoint(places.mountPoint);
    },

    /** The device may be away, and what is on it is in the trash all the same. */
    async trashedBytes({ place }, { os }) {
        return (await readDeviceRecord(place, os))?.grownTo ?? ((await os.files.stat(place)) === undefined ? 0 : 1);
    },

    async purge({ resource, place }, { os }) {
        const record = await readDeviceRecord(place, os);
        if (record === undefined) return;
        const places = devicePlacesOf(resource);
        const device = await locate(resource, record, os);
        if (device === undefined && record.state !== "purging") throw away(record, place);
        if (device !== undefined) {
            // Half-way its UUID is gone, or still there.
            await writeDeviceRecord({ ...record, state: "purging" }, places, os, place);
            await os.devices.clear(device);
        }
        await os.files.remove(place);
    },

    async restore({ resource, place }, into, _own, { os }) {
        const places = devicePlacesOf(into);
        const [record, own] = await Promise.all([readDeviceRecord(place, os), readDeviceRecord(places.record, os)]);
        if (record === undefined) {
            // Done already, when a restore that was cut off is repeated.
            if (own !== undefined) return;
            throw invalid("the trashed data are not known any more", "Look at zeroform trash list.");
        }
        if (resource.spec.filesystem !== into.spec.filesystem)
            throw invalid(
                `the trashed data are on ${resource.spec.filesystem}, and ZMount "${into.name}" is to have ${into.spec.filesystem}`,
                `Restore them into a ZMount with filesystem: "${resource.spec.filesystem}".`,
            );
        const device = await os.devices.find(into.spec.device);
        const uuid = typeof device === "object" ? await os.images.uuidOf(device.path, into.spec.filesystem) : undefined;
        if (uuid !== record.uuid)
            throw invalid(
                `the trashed data are not on ${into.spec.device}, which ZMount "${into.name}" is to have`,
                `They were made on ${record.device}: restore them into a ZMount with that device.`,
            );
        await writeDeviceRecord({ ...record, state: "made", device: into.spec.device }, places, os);
        await os.files.remove(place);
    },

    units(resource) {
        const { mountUnit, deviceUnit, checkUnit } = devicePlacesOf(resource);
        return [mountUnit, deviceUnit, checkUnit];
    },
};

/** Where the data are now. */
const locate = async ({ spec }: DeviceMount, record: DeviceRecord, os: Os): Promise<Device | undefined> => {
    const named = await os.devices.find(record.device);
    if (typeof named === "object" && (await os.images.uuidOf(named.path, spec.filesystem)) === record.uuid) return named;
    const found = await os.devices.withUuid(record.uuid, spec.filesystem);
    if (found.length > 1) throw several(found, record);
    return found[0];
};

const invalid = (message: string, hint: string) => new ZeroformError({ code: "INVALID", message, hint });
