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
        if (isOnDevice(wanted)) await onDevice.admit(wanted, old, context);
        else await onImage.admit(asImage(wanted), old, context);
        return wanted.spec;
    },
    apply: (resource, context) => (isOnDevice(resource) ? onDevice.apply(resource, context) : onImage.apply(asImage(resource), context)),

    trashPlace: (resource) => (isOnDevice(resource) ? onDevice.trashPlace(resource) : onImage.trashPlace(asImage(resource))),
    trashPlaceNow: (resource, context) =>
        isOnDevice(resource) ? onDevice.trashPlaceNow(resource, context) : onImage.trashPlaceNow(asImage(resource), context),
    async trace(life, { files }) {
        // Its mount point is in one place, wherever its data are.
        for (const path of [placesOf({ life, spec: { pool: undefined } }).image, mountPointOf(life)])
            if ((await files.stat(path)) !== undefined) return path;
        return undefined;
    },
    keptPlace: (resource) => (isOnDevice(resource) ? onDevice.keptPlace(resource) : onImage.keptPlace(asImage(resource))),

    remove: (resource, place, context) =>
        isOnDevice(resource) ? onDevice.remove(resource, place, context) : onImage.remove(asImage(resource), place, context),
    trashedBytes: ({ resource, place }, context) =>
        isOnDevice(resource)
            ? onDevice.trashedBytes({ resource, place }, context)
            : onImage.trashedBytes({ resource: asImage(resource), place }, context),
    purge: ({ resource, place }, context) =>
        isOnDevice(resource)
            ? onDevice.purge({ resource, place }, context)
            : onImage.purge({ resource: asImage(resource), place }, context),
    async restore({ resource, place }, into, own, context) {
        if (isOnDevice(resource) && isOnDevice(into)) return onDevice.restore({ resource, place }, into, own, context);
        if (isImage(resource) && isImage(into)) return onImage.restore({ resource, place }, into, own, context);
        throw new ZeroformError({
            code: "INVALID",
            message: `the trashed data are ${whereOf(resource)}, and ZMount "${into.name}" is to be ${whereOf(into)}`,
            hint: isOnDevice(resource)
                ? `Restore them into a ZMount with device: "${resource.spec.device}".`
                : "Restore them into a ZMount with a size.",
        });
    },

    units: (resource) => (isOnDevice(resource) ? onDevice.units(resource) : onImage.units(asImage(resource))),
    measure: measureZMounts,
};

const whereOf = (resource: ZMount): string => (isOnDevice(resource) ? `on device ${resource.spec.device}` : "in an image");

/** The schema lets nothing else through. */
const asImage = (resource: ZMount): ImageMount => {
    if (isImage(resource)) return resource;
    throw new TypeError(`ZMount ${resource.life} has neither a size nor a device`);
};
