import { ZeroformError } from "../../protocol/errors.ts";
import { formatSize } from "../../schema/quantity.ts";
import type { Os } from "../os/os.ts";
import type { Context } from "./driver.ts";
import { broken, requireOnlyOurs, unmount, unmounted } from "./zmount-mounting.ts";
import { deletedWhileMounted } from "./zmount-observe.ts";
import { type ImageMount, type Places, placesOf, trashOf, UNFINISHED_MOVE } from "./zmount-places.ts";
import { ensureMarker, requireGround, tidyPool } from "./zmount-pool.ts";
import { formatRough, makeRoom, requirePool, reserving } from "./zmount-room.ts";
import { actualPlaces, type ImageRecord, mountUnitFor, readRecord, writeRecord } from "./zmount-units.ts";

/** People read that often. */
const SAY_EVERY_MS = 1_000;
/** A disk that does not give back what was written is found by the second comparison. */
const MOST_PASSES = 3;
/** Copies that have been whole: who keeps one in use for days is asked again and again, and all of it is not read each time. */
const copiedOnce = new Set<string>();

/**
 * Brings the image into the pool that the spec names. The record says at each moment which file is the live one: it is copied while in
 * use, then what has changed since while it is not, compared, and only then the record is changed. A cut leaves the old image live, or
 * the new one; what the other file is, the record says too.
 */
export const ensureInPool = async (resource: ImageMount, context: Context): Promise<void> => {
    const { os } = context;
    const to = placesOf(resource);
    const record = await readRecord(to, os);
    if (record === undefined || record.image === to.image) return;
    const from = actualPlaces(to, record);
    await requireGround(from, os);
    if ((await os.files.stat(from.image)) === undefined) return forgetUnmade(from, context);

    await requirePool(resource, os);
    await ensureMarker(to, os);
    if (record.other !== to.image) {
        await dropOther(resource, record, context);
        await writeRecord({ ...record, other: to.image }, to, os);
    }
    const linked = await link(from, to, context);
    if (!linked) await copy(resource, from, to, context);
    await os.systemd.uninstall([mountUnitFor(resource, from)]);
    if (!(await unmounted(from, os))) throw usedMeanwhile(from);
    await writeRecord({ ...record, image: to.image, other: from.image }, to, os);
};

/** Lets go of the file that a move has left, once the record says that it is not the live one. What is out of reach stays until it is not. */
export const dropLeft = async (resource: ImageMount, context: Context): Promise<void> => {
    const places = placesOf(resource);
    const record = await readRecord(places, context.os);
    if (record?.other === undefined || record.image !== places.image) return;
    if ((await context.os.files.stat(actualPlaces(places, { image: record.other }).marker)) === undefined) return;
    await dropOther(resource, record, context).catch((failure: unknown) => {
        // A disk that fails is a reason to leave it.
        if (!(failure instanceof OutOfReach)) throw failure;
    });
};

/** Where its data would lie in the trash when they are in another pool than its spec says. */
export const trashWhileMoving = async (resource: ImageMount, os: Os): Promise<string | undefined> => {
    const places = placesOf(resource);
    const record = await readRecord(places, os);
    return record === undefined || record.image === places.image
        ? undefined
        : trashOf(actualPlaces(places, record).directory, resource.life);
};

/** Removes the file that is not the live one, and forgets it. */
export const dropOther = async (resource: ImageMount, record: ImageRecord, context: Context): Promise<void> => {
    if (record.other === undefined || record.other === record.image) return;
    const { os } = context;
    const other = actualPlaces(placesOf(resource), { image: record.other });
    await requireGround(other, os);
    for (const path of [`${other.image}${UNFINISHED_MOVE}`, other.image])
        await os.files.remove(path).catch((failure: NodeJS.ErrnoException) => {
            throw failure.code === "EROFS" || failure.code === "EIO" ? new OutOfReach(path, failure) : failure;
        });
    await writeRecord({ ...record, other: undefined }, other, os);
    await tidyPool(other.directory, resource, context);
};

/** What a move has left lies on a disk that takes no writes any more. */
class OutOfReach extends ZeroformError {
    constructor(path: string, cause: NodeJS.ErrnoException) {
        super(
            {
                code: "NOT_READY",
                message: `${path}, which a move has left there, cannot be removed (${cause.code})`,
                hint: "Mount that disk writable again, or take it off the machine and make its directory with an empty file .pool in it.",
                retryable: true,
            },
            cause,
        );
    }
}

/** A second name for the same file, where both pools are on one file system. */
const link = async (from: Places, to: Places, { os, progress }: Context): Promise<boolean> => {
    const [image, directory] = await Promise.all([os.files.stat(from.image), os.files.stat(to.directory)]);
    if (image === undefined || image.device !== directory?.device) return false;
    progress(`moving it to ${to.directory}, on the same file system`);
    await unmount(from, os);
    await os.files.remove(to.image);
    return (await os.files.link(from.image, to.image)) === "linked";
};

const copy = async (resource: ImageMount, from: Places, to: Places, context: Context): Promise<void> => {
    const { os, progress, signal } = context;
    const { files, images } = os;
    const unfinished = `${to.image}${UNFINISHED_MOVE}`;
    // Complete when the power went, and maybe no longer equal: it is compared again.
    if ((await files.stat(to.image)) !== undefined) await files.move(to.image, unfinished);
    const before = await files.stat(from.image);
    if (before === undefined) throw broken(deletedWhileMounted(from.image));
    await makeRoom(resource, context);
    progress(`reserving ${formatSize(before.bytes)} in ${to.directory}`);
    await reserving(resource, to.directory, os, () => images.ensureReserved(unfinished, before.bytes, signal));

    const pass = (doing: string) => {
        let said = Number.NEGATIVE_INFINITY;
        return images.makeEqual(
            from.image,
            unfinished,
            (bytes) => {
                if (performance.now() - said < SAY_EVERY_MS) return;
                said = performance.now();
                progress(`${doing} ${to.directory}: ${formatRough(bytes)} of ${formatRough(before.bytes)}`, true);
            },
            signal,
        );
    };
    if (copiedOnce.has(unfinished)) await requireOnlyOurs(from, os);
    await pass("copying its data while in use to");
    copiedOnce.add(unfinished);
    progress("stopping what uses it, for the rest of its data");
    await unmount(from, os);
    const still = await files.stat(from.image);
    for (let passes = 1; (await pass(passes === 1 ? "copying what has changed to" : "comparing its data with the copy in")) > 0; passes++) {
        if (passes === MOST_PASSES) throw broken(`${unfinished} does not keep what is written to it`, "Look at the disk of that pool.");
    }
    copiedOnce.delete(unfinished);
    await files.move(unfinished, to.image);
    if ((await files.stat(from.image))?.changedMs !== still?.changedMs) throw usedMeanwhile(from);
};

/** Another pool was named before anything of it was made in the first. */
const forgetUnmade = async (from: Places, { os }: Context): Promise<void> => {
    if ((await os.mounts.list()).has(from.mountPoint)) throw broken(deletedWhileMounted(from.image));
    await os.files.remove(from.record);
};

const usedMeanwhile = ({ mountPoint }: Places) =>
    new ZeroformError({ code: "FAILED", message: `${mountPoint} was mounted by somebody while its data were moved`, retryable: true });
