import { ZeroformError } from "../../protocol/errors.ts";
import { bytesOf, formatSize } from "../../schema/quantity.ts";
import { formats } from "../os/formats/index.ts";
import type { Context } from "./driver.ts";
import { ensureGrown } from "./zmount-growth.ts";
import { broken, ensureMounted, requireUnused, unmount } from "./zmount-mounting.ts";
import { dropLeft, dropOther, ensureInPool, trashWhileMoving } from "./zmount-move.ts";
import { deletedWhileMounted } from "./zmount-observe.ts";
import { type ImageMount, type Places, placesOf, poolOfTrash, trashedImage } from "./zmount-places.ts";
import { ensureMarker, locate, requireGround, tidyPool } from "./zmount-pool.ts";
import { restoreImage } from "./zmount-restore.ts";
import { makeRoom, requirePool, requireRoom, reserving } from "./zmount-room.ts";
import type { Space } from "./zmount-space.ts";
import { mountUnitFor, noteImage, readRecord } from "./zmount-units.ts";

/** A ZMount of a given size is an image file in a pool, the file system in it, and a systemd mount unit that brings it up at boot. */
export const onImage: Space<ImageMount> = {
    async admit(wanted, _old, context) {
        await requirePool(wanted, context.os);
        const actual = await locate(wanted, context.os);
        if (actual.image !== placesOf(wanted).image) await requireGround(actual, context.os);
        const image = await context.os.files.stat(actual.image);
        if (image !== undefined && bytesOf(wanted.spec.size) < image.bytes) {
            throw new ZeroformError({
                code: "INVALID",
                message: `size ${wanted.spec.size} is less than the ${formatSize(image.bytes)} that it has: a ZMount does not shrink`,
                hint: `Write size: "${formatSize(image.bytes)}" or more.`,
            });
        }
        const { growsTo = 0 } = formats[wanted.spec.filesystem];
        const bytes = bytesOf(wanted.spec.size);
        if (image !== undefined && bytes > image.bytes && bytes < growsTo) {
            const enough = formatSize(growsTo);
            throw new ZeroformError({
                code: "INVALID",
                message: `size ${wanted.spec.size} is too little to grow to: ${wanted.spec.filesystem} grows to ${enough} or more`,
                hint: `Write size: "${enough}" or more.`,
            });
        }
        await requireRoom(wanted, context);
    },

    async apply(resource, context) {
        const places = placesOf(resource);
        await ensureInPool(resource, context);
        await ensureSpace(resource, places, context);
        await ensureMounted(resource, places, context);
        await ensureGrown(resource, places, context);
        await dropLeft(resource, context);
    },

    trashPlace: trashedImage,
    trashPlaceNow: (resource, { os }) => trashWhileMoving(resource, os),
    keptPlace: (resource) => placesOf(resource).image,

    async remove(resource, place, context) {
        const { files, mounts, systemd } = context.os;
        const places = await locate(resource, context.os);
        const record = await readRecord(places, context.os);
        // Without a record nothing was made that could be away.
        if (place !== undefined && record !== undefined) await requireGround(places, context.os);
        await requireUnused(places, context.os);
        await unmount(places, context.os);
        if (place !== undefined && (await files.stat(places.image)) !== undefined) await files.move(places.image, place);
        await systemd.uninstall([mountUnitFor(resource, places)]);
        if (record !== undefined) await dropOther(resource, record, context);
        // Kept data are looked for later, when their pool may be away: then the record says that there is something to wait for.
        if (place !== undefined) await files.remove(places.record);
        await mounts.removePoint(places.mountPoint);
        // A move that was cut off at its first step has marked the other pool, and nothing else says so.
        for (const { directory } of [places, placesOf(resource)]) await tidyPool(directory, resource, context);
    },

    trashedBytes: ({ place }, { os }) => os.files.diskUsage(place),

    async purge({ resource, place }, context) {
        const pool = poolOfTrash(place);
        await requireGround(pool, context.os);
        await context.os.files.remove(place);
        await tidyPool(pool.directory, resource, context);
    },

    restore: (trashed, into, own, { os }) => restoreImage(trashed, into, own, os),

    units(resource) {
        const { mountUnit, checkUnit } = placesOf(resource);
        return [mountUnit, checkUnit];
    },
};

/** Makes the image, or makes it larger. */
const ensureSpace = async (resource: ImageMount, places: Places, context: Context): Promise<void> => {
    const { os, signal, progress } = context;
    const { files, images, mounts } = os;
    const bytes = bytesOf(resource.spec.size);
    await requirePool(resource, os);
    await ensureMarker(places, os);
    const image = await files.stat(places.image);
    if (image !== undefined && image.bytes >= bytes && image.reservedBytes >= image.bytes) return;
    if (image === undefined && (await mounts.list()).has(places.mountPoint)) throw broken(deletedWhileMounted(places.image));

    await makeRoom(resource, context);
    // Before the image: once that is there, a pool that is away is never taken for one on which nothing was made.
    if (image === undefined) await noteImage(places, { grownTo: bytes, check: "quick" }, os);
    progress(`reserving ${resource.spec.size} in ${places.directory}`);
    await reserving(resource, places.directory, os, () =>
        image === undefined
            ? images.make(places.image, bytes, resource.spec.filesystem, signal)
            : images.reserve(places.image, bytes, signal),
    );
};
