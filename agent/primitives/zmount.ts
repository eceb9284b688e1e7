import { ZeroformError } from "../../protocol/errors.ts";
import { zmount } from "../../schema/zmount.ts";
import { formats } from "../os/formats/index.ts";
import type { Driver } from "./driver.ts";
import { onDevice } from "./zmount-device.ts";
import { type AllDeviceFacts, gatherDevices, observeDevice } from "./zmount-device-observe.ts";
import { onImage } from "./zmount-image.ts";
import { measureZMounts } from "./zmount-measure.ts";
import { type AllZMountFacts, gatherZMounts, observeZMount } from "./zmount-observe.ts";
import { type ImageMount, isImage, isOnDevice, mountPointOf, placesOf, type ZMount } from "./zmount-places.ts";
import type { Space } from "./zmount-space.ts";

/** Programs that every ZMount needs; e2fsprogs also for the flag of its bare mount point. */
const PACKAGES = { mount: "losetup", "util-linux": "fallocate", e2fsprogs: "chattr" };

interface Facts {
    readonly images: AllZMountFacts;
    readonly devices: AllDeviceFacts;
}

/** A ZMount is a file system in an image or on a device, and a systemd mount unit that brings it up at boot. */
export const zmountDriver: Driver<typeof zmount, Facts> = {
    primitive: zmount,
    packages: ({ filesystem }) => ({ ...formats[filesystem].packages, ...PACKAGES }),

    async gather(os, resources) {
        const [images, devices] = await Promise.all([
            gatherZMounts(os, resources.filter(isImage)),
            gatherDevices(os, resources.filter(isOnDevice)),
        ]);
        return { images, devices };
    },
    observe: (resource, { images, devices }) =>
        isOnDevice(resource) ? observeDevice(resource, devices) : observeZMount(asImage(resource), images),

    async admit(wanted, old, context) {
        await spaceOf(wanted).admit(wanted, old, context);
        return wanted.spec;
    },
    apply: (resource, context) => spaceOf(resource).apply(resource, context),

    trashPlace: (resource) => spaceOf(resource).trashPlace(resource),
    trashPlaceNow: (resource, context) => spaceOf(resource).trashPlaceNow(resource, context),
    async trace(life, { files }) {
        // Its mount point is in one place, wherever its data are.
        for (const path of [placesOf({ life, spec: { pool: undefined } }).image, mountPointOf(life)])
            if ((await files.stat(path)) !== undefined) return path;
        return undefined;
    },
    keptPlace: (resource) => spaceOf(resource).keptPlace(resource),

    remove: (resource, place, context) => spaceOf(resource).remove(resource, place, context),
    trashedBytes: (trashed, context) => spaceOf(trashed.resource).trashedBytes(trashed, context),
    purge: (trashed, context) => spaceOf(trashed.resource).purge(trashed, context),
    async restore(trashed, into, own, context) {
        const { resource } = trashed;
        const space = spaceOf(resource);
        if (space === spaceOf(into)) return space.restore(trashed, into, own, context);
        throw new ZeroformError({
            code: "INVALID",
            message: `the trashed data are ${whereOf(resource)}, and ZMount "${into.name}" is to be ${whereOf(into)}`,
            hint: isOnDevice(resource)
                ? `Restore them into a ZMount with device: "${resource.spec.device}".`
                : "Restore them into a ZMount with a size.",
        });
    },

    units: (resource) => spaceOf(resource).units(resource),
    measure: measureZMounts,
};

const whereOf = (resource: ZMount): string => (isOnDevice(resource) ? `on device ${resource.spec.device}` : "in an image");

/** Where it has its space from; what is answered is given mounts of that sort only. */
const spaceOf = (resource: ZMount): Space<ZMount> => {
    if (isOnDevice(resource)) return onDevice;
    asImage(resource);
    return onImage;
};

/** The schema lets nothing else through. */
const asImage = (resource: ZMount): ImageMount => {
    if (isImage(resource)) return resource;
    throw new TypeError(`ZMount ${resource.life} has neither a size nor a device`);
};
