import { ZeroformError } from "../../protocol/errors.ts";
import { bytesOf, formatSize } from "../../schema/quantity.ts";
import { zmount } from "../../schema/zmount.ts";
import type { Os } from "../os/os.ts";
import { ProgramFailure } from "../os/program.ts";
import type { Context, Driver } from "./driver.ts";
import { type AllZMountFacts, deletedWhileMounted, gatherZMounts, observeZMount, poolGone } from "./zmount-observe.ts";
import { type Places, placesOf, trashedImage, type ZMount } from "./zmount-places.ts";
import { makeRoom, missingBytes, noRoom, requirePool, requireRoom, roomAt } from "./zmount-room.ts";
import { formatRecord, type ImageRecord, parseRecord, unitsOf } from "./zmount-units.ts";

/** A ZMount is an image file in the pool, the file system in it, and a systemd mount unit that brings it up at boot. */
export const zmountDriver: Driver<typeof zmount, AllZMountFacts> = {
    primitive: zmount,
    packages: { e2fsprogs: "mke2fs", mount: "losetup", "util-linux": "fallocate" },

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
        await ensureMounted(places, context);
        await ensureGrown(resource, places, context);
    },

    trashPlace: trashedImage,

    async remove(resource, place, context) {
        const { files, mounts, systemd } = context.os;
        const places = placesOf(resource);
        await unmount(places, context);
        if (place !== undefined && (await files.stat(places.image)) !== undefined) await files.move(places.image, place);
        await systemd.uninstall(unitsOf(places).filter(({ name }) => name === places.mountUnit));
        await files.remove(places.record);
        await mounts.removePoint(places.mountPoint);
        await tidyPool(resource, places, context);
    },

    async trashedBytes({ place }, os) {
        return os.files.diskUsage(place);
    },

    async purge({ resource, place }, context) {
        await context.os.files.remove(place);
        await tidyPool(resource, placesOf(resource), context);
    },

    async restore({ place }, into, own, context) {
        const { files } = context.os;
        const places = placesOf(into);
        const trashed = await files.stat(place);
        // Done already, when a restore that was cut off is repeated.
        if (trashed === undefined) return requireImage(places, place, context.os);
        await requireFitting(trashed, into, places, context.os);
        await unmount(places, context);
        // The image never has no file: a second name for the old one first, then the trashed one takes its name.
        if ((await files.stat(places.image)) !== undefined && (await files.stat(own)) === undefined) await files.link(places.image, own);
        await writeRecord(places, { grownTo: undefined, check: "quick" }, context.os);
        await files.move(place, places.image);
    },
};

/** How long a loop may take to let go of its file after the unmount. */
const LOOP_END_MS = 5_000;
const LOOP_POLL_MS = 50;

/** Makes the image, or makes it larger. */
const ensureSpace = async (resource: ZMount, places: Places, context: Context): Promise<void> => {
    const { files, images } = context.os;
    const { signal, progress, os } = context;
    const bytes = bytesOf(resource.spec.size);
    await requirePool(resource, os);
    if ((await files.stat(places.marker)) === undefined) {
        if ((await files.readText(places.record)) !== undefined) throw failed(poolGone(places.directory), "");
        await files.writeText(places.marker, "");
    }
    const image = await files.stat(places.image);
    if (image === undefined) await requireUnmounted(places, os);
    if (image !== undefined && image.bytes >= bytes && image.reservedBytes >= image.bytes) return;

    await makeRoom(resource, context);
    progress(`reserving ${resource.spec.size} in ${places.directory}`);
    try {
        if (image === undefined) await images.make(places.image, bytes, signal);
        else await images.reserve(places.image, bytes, signal);
    } catch (failure) {
        if (!(failure instanceof ProgramFailure && failure.words.includes("No space left"))) throw failure;
        const missing = await missingBytes(resource, os);
        throw noRoom(resource, missing, places.directory, { ...(await roomAt(places.directory, os)), promised: 0 });
    }
    if (image === undefined) await writeRecord(places, { grownTo: bytes, check: "quick" }, os);
};

/** Mounts the image in its place, with the units that do the same at boot. */
const ensureMounted = async (places: Places, context: Context): Promise<void> => {
    const { mounts, systemd, images, loops } = context.os;
    const { os, progress, signal } = context;
    if ((await images.fileSystemBytes(places.image)) === undefined) {
        throw failed(
            `${places.image} has no ext4 file system any more`,
            "Put a good copy in its place, or remove the ZMount and make a new one.",
        );
    }
    if ((await readRecord(places, os)) === undefined) await writeRecord(places, { grownTo: undefined, check: "quick" }, os);
    await mounts.preparePoint(places.mountPoint);
    await systemd.install(unitsOf(places));

    const mounted = (await mounts.list()).get(places.mountPoint);
    const isOurs = mounted !== undefined && (await isOnImage(mounted.device, places, os));
    if (mounted !== undefined && (mounted.readOnly || !isOurs)) {
        progress(`mounting ${places.mountPoint} anew`);
        await unmount(places, context);
    }
    if (mounted === undefined || mounted.readOnly || !isOurs) {
        progress(`checking and mounting ${places.mountPoint}`);
        await loopEnds(places, os);
        await systemd.start(places.mountUnit, signal).catch((failure: unknown) => {
            throw withCheckHint(failure, places);
        });
    }
    const device = (await mounts.list()).get(places.mountPoint)?.device;
    const loop = device === undefined ? undefined : await loops.byNumber(device);
    if (loop === undefined) throw failed(`${places.mountPoint} was unmounted again at once`, "");
    if (loop.discards) await loops.keepReserved(loop);
};

/** Makes loop and file system as large as the image. */
const ensureGrown = async (resource: ZMount, places: Places, context: Context): Promise<void> => {
    const { files, images, loops, mounts } = context.os;
    const { os, progress, signal } = context;
    const [loop, image, record] = await Promise.all([
        mounts.list().then((all) => loops.byNumber(all.get(places.mountPoint)?.device ?? "")),
        files.stat(places.image),
        readRecord(places, os),
    ]);
    if (loop === undefined || image === undefined) throw failed(`${places.mountPoint} was unmounted while it was being grown`, "");
    if (loop.bytes !== image.bytes) await loops.adoptSize(loop);
    if (record?.grownTo === image.bytes && record.check === "quick") return;

    progress(`growing the file system to ${formatSize(image.bytes)}`);
    if (image.bytes - ((await images.fileSystemBytes(loop.device)) ?? 0) >= BLOCK_BYTES) {
        if ((await images.growFileSystem(loop.device, signal)) === "refused") await growUnmounted(resource, places, context);
    }
    // New inode tables were zeroed by punching holes.
    await images.reserve(places.image, image.bytes, signal);
    await writeRecord(places, { grownTo: image.bytes, check: "quick" }, os);
};

const BLOCK_BYTES = 4_096;

/** Where the kernel does not let us grow it in use: its users are stopped, it is checked and grown on the way to being mounted again, and they are started. */
const growUnmounted = async (resource: ZMount, places: Places, context: Context): Promise<void> => {
    const { os, progress, signal } = context;
    const foreign = (await os.processes.using(places.mountPoint)).filter(({ unit }) => !unit?.startsWith("zeroform-"));
    if (foreign.length > 0) {
        const names = foreign.map(({ name }) => name).join(", ");
        throw new ZeroformError({
            code: "IN_USE",
            message: `this node's kernel does not let us grow a file system in use (CAP_SYS_RESOURCE is missing), and ${names} uses ${places.mountPoint}`,
            hint: `Stop it; the growth to ${resource.spec.size} then goes on by itself.`,
            retryable: true,
        });
    }
    progress("unmounting for a moment, because this node's kernel does not grow it in use");
    await writeRecord(places, { grownTo: undefined, check: "full" }, os);
    await os.systemd.restart(places.mountUnit, signal);
};

/** Refuses while anybody uses it. Unmounted already is fine. */
const unmount = async (places: Places, { os }: Context): Promise<void> => {
    if ((await os.mounts.list()).has(places.mountPoint)) {
        const users = (await os.processes.using(places.mountPoint)).filter(({ unit }) => !unit?.startsWith("zeroform-zdb@"));
        if (users.length > 0) throw inUse(places.mountPoint, users.map(({ name }) => name).join(", "));
    }
    await os.systemd.stop(places.mountUnit);
    if ((await os.mounts.list()).has(places.mountPoint)) throw inUse(places.mountPoint, "something");
    await loopEnds(places, os);
    const [held] = await os.loops.ofFile(places.image);
    if (held !== undefined) throw inUse(places.image, `${held.device}, which something that has it open or mounted keeps alive,`);
};

/** Waits a moment for a loop that goes by itself; one that nobody uses is detached. */
const loopEnds = async (places: Places, os: Os): Promise<void> => {
    if ((await os.files.stat(places.image)) === undefined) return;
    const deadline = Date.now() + LOOP_END_MS;
    for (;;) {
        const held = await os.loops.ofFile(places.image);
        if (held.length === 0 || Date.now() > deadline) return;
        for (const loop of held) await os.loops.detach(loop);
        await new Promise((resolve) => setTimeout(resolve, LOOP_POLL_MS));
    }
};

const isOnImage = async (device: string, places: Places, os: Os): Promise<boolean> =>
    (await os.loops.ofFile(places.image)).some(({ number }) => number === device);

const requireUnmounted = async (places: Places, os: Os): Promise<void> => {
    if ((await os.mounts.list()).has(places.mountPoint)) throw failed(deletedWhileMounted(places.image), "");
};

const requireImage = async (places: Places, place: string, os: Os): Promise<void> => {
    if ((await os.files.stat(places.image)) === undefined) throw failed(`neither ${place} nor ${places.image} is there`, "");
};

const requireFitting = async (
    trashed: { readonly bytes: number; readonly device: number },
    into: ZMount,
    places: Places,
    os: Os,
): Promise<void> => {
    const invalid = (message: string, hint: string) => new ZeroformError({ code: "INVALID", message, hint });
    if (trashed.bytes > bytesOf(into.spec.size)) {
        const size = formatSize(trashed.bytes);
        throw invalid(`the trashed image has ${size}, more than the ${into.spec.size} of "${into.name}"`, `Write size: "${size}" first.`);
    }
    const directory = await os.files.stat(places.directory);
    if (directory === undefined) throw failed(poolGone(places.directory), "");
    if (directory.device !== trashed.device) {
        throw invalid(`the trashed image is on another file system than ${places.directory}`, "Restore it into a ZMount of the same pool.");
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

const readRecord = async (places: Places, os: Os): Promise<ImageRecord | undefined> => parseRecord(await os.files.readText(places.record));

const writeRecord = (places: Places, record: Omit<ImageRecord, "image">, os: Os): Promise<void> =>
    os.files.writeText(places.record, formatRecord({ image: places.image, ...record }));

const withCheckHint = (failure: unknown, places: Places): unknown =>
    failure instanceof ZeroformError && failure.message.includes("fsck")
        ? failure.with({ hint: `If its check asks for a decision: e2fsck -y ${places.image}` })
        : failure;

const failed = (message: string, hint: string) =>
    new ZeroformError({ code: "FAILED", message, ...(hint === "" ? {} : { hint }), retryable: true });

const inUse = (what: string, by: string) =>
    new ZeroformError({ code: "IN_USE", message: `${by} uses ${what}`, hint: "Stop it first.", retryable: true });
