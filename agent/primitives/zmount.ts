import { ZeroformError } from "../../protocol/errors.ts";
import { bytesOf, formatSize } from "../../schema/quantity.ts";
import { zmount } from "../../schema/zmount.ts";
import { formats } from "../os/formats/index.ts";
import type { Os } from "../os/os.ts";
import { ProgramFailure } from "../os/program.ts";
import type { Context, Driver } from "./driver.ts";
import { ensureGrown } from "./zmount-growth.ts";
import { measureZMounts } from "./zmount-measure.ts";
import { broken, ensureMounted, requireUnused, unmount } from "./zmount-mounting.ts";
import { type AllZMountFacts, deletedWhileMounted, gatherZMounts, observeZMount, poolGone } from "./zmount-observe.ts";
import { type Places, placesOf, trashedImage, type ZMount } from "./zmount-places.ts";
import { restoreImage } from "./zmount-restore.ts";
import { makeRoom, missingBytes, noRoom, requirePool, requireRoom, roomAt } from "./zmount-room.ts";
import { mountUnitFor, writeRecord } from "./zmount-units.ts";

/** Programs that every ZMount needs; e2fsprogs also for the flag of its bare mount point. */
const PACKAGES = { mount: "losetup", "util-linux": "fallocate", e2fsprogs: "chattr" };

/** A ZMount is an image file in the pool, the file system in it, and a systemd mount unit that brings it up at boot. */
export const zmountDriver: Driver<typeof zmount, AllZMountFacts> = {
    primitive: zmount,
    packages: ({ filesystem }) => ({ ...formats[filesystem].packages, ...PACKAGES }),

    gather: gatherZMounts,
    observe: observeZMount,

    async admit(wanted, _old, context) {
        await requirePool(wanted, context.os);
        const image = await context.os.files.stat(placesOf(wanted).image);
        if (image !== undefined && bytesOf(wanted.spec.size) < image.bytes) {
            throw new ZeroformError({
                code: "INVALID",
                message: `size ${wanted.spec.size} is less than the ${formatSize(image.bytes)} that it has: a ZMount does not shrink`,
                hint: `Write size: "${formatSize(image.bytes)}" or more.`,
            });
        }
        await requireRoom(wanted, context);
        return wanted.spec;
    },

    async apply(resource, context) {
        const places = placesOf(resource);
        await ensureSpace(resource, places, context);
        await ensureMounted(resource, places, context);
        await ensureGrown(resource, places, context);
    },

    trashPlace: trashedImage,
    keptPlace: (resource) => placesOf(resource).image,

    async remove(resource, place, context) {
        const { files, mounts, systemd } = context.os;
        const places = placesOf(resource);
        // Without a record nothing was made that could be away.
        if (place !== undefined && (await files.readText(places.record)) !== undefined) await requireGround(places, context.os);
        await requireUnused(places, context.os);
        await unmount(places, context.os);
        if (place !== undefined && (await files.stat(places.image)) !== undefined) await files.move(places.image, place);
        await systemd.uninstall([mountUnitFor(resource)]);
        // Kept data are looked for later, when their pool may be away: then the record says that there is something to wait for.
        if (place !== undefined) await files.remove(places.record);
        await mounts.removePoint(places.mountPoint);
        await tidyPool(resource, places, context);
    },

    async trashedBytes({ place }, { os }) {
        return os.files.diskUsage(place);
    },

    async purge({ resource, place }, context) {
        await requireGround(placesOf(resource), context.os);
        await context.os.files.remove(place);
        await tidyPool(resource, placesOf(resource), context);
    },

    async restore(trashed, into, own, context) {
        await restoreImage(trashed, into, own, context.os);
    },

    units(resource) {
        const { mountUnit, checkUnit } = placesOf(resource);
        return [mountUnit, checkUnit];
    },
    measure: measureZMounts,
};

/** What cannot be seen is not what is not there: a pool that is away is waited for. */
const requireGround = async ({ marker, directory }: Places, os: Os): Promise<void> => {
    if ((await os.files.stat(marker)) !== undefined) return;
    throw new ZeroformError({ code: "NOT_READY", message: poolGone(directory), retryable: true });
};

/** Makes the image, or makes it larger. */
const ensureSpace = async (resource: ZMount, places: Places, context: Context): Promise<void> => {
    const { os, signal, progress } = context;
    const { files, images, mounts } = os;
    const bytes = bytesOf(resource.spec.size);
    await requirePool(resource, os);
    if ((await files.stat(places.marker)) === undefined) {
        if ((await files.readText(places.record)) !== undefined) throw broken(poolGone(places.directory));
        await files.writeText(places.marker, "");
    }
    const image = await files.stat(places.image);
    if (image !== undefined && image.bytes >= bytes && image.reservedBytes >= image.bytes) return;
    if (image === undefined && (await mounts.list()).has(places.mountPoint)) throw broken(deletedWhileMounted(places.image));

    await makeRoom(resource, context);
    // Before the image: once that is there, a pool that is away is never taken for one on which nothing was made.
    if (image === undefined) await writeRecord(places, { grownTo: bytes, check: "quick" }, os);
    progress(`reserving ${resource.spec.size} in ${places.directory}`);
    try {
        if (image === undefined) await images.make(places.image, bytes, resource.spec.filesystem, signal);
        else await images.reserve(places.image, bytes, signal);
    } catch (failure) {
        if (!(failure instanceof ProgramFailure && failure.words.includes("No space left"))) throw failure;
        // Somebody else took the room meanwhile.
        const missing = await missingBytes(resource, os);
        throw noRoom(resource, missing, places.directory, { ...(await roomAt(places.directory, os)), promised: 0 });
    }
};

/** Takes our directory out of a pool that somebody else owns when nothing of ours is left in it. */
const tidyPool = async (resource: ZMount, places: Places, { os, resources }: Context): Promise<void> => {
    const { pool } = resource.spec;
    const shared = (resources("ZMount") as readonly ZMount[]).some((other) => other.life !== resource.life && other.spec.pool === pool);
    if (pool === undefined || shared) return;
    const trash = `${places.directory}/.trash`;
    if ((await os.files.list(trash)).length > 0) return;
    await os.files.remove(trash);
    if ((await os.files.list(places.directory)).join() === ".pool") await os.files.remove(places.directory);
};
