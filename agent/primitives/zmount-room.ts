import { ZeroformError } from "../../protocol/errors.ts";
import { POOL, ROOT } from "../../protocol/layout.ts";
import { bytesOf } from "../../schema/quantity.ts";
import type { Os } from "../os/os.ts";
import { ProgramFailure } from "../os/program.ts";
import type { Context, Trashed } from "./driver.ts";
import { type ImageMount, isImage, placesOf, UNFINISHED_MOVE, type ZMount } from "./zmount-places.ts";
import { locate } from "./zmount-pool.ts";

/** Types of file systems on which reserved space is space: they have blocks of their own on a local device. */
const REAL_FILE_SYSTEMS: readonly string[] = ["ext4", "xfs", "btrfs", "f2fs", "bcachefs", "ext3"];
/** Kept free where the agent's own data lie: its store, a new agent, journals of a few services. */
const RESERVE_BYTES = 64 * 2 ** 20;

/** Refuses a pool from which no space can be taken. */
export const requirePool = async (resource: ImageMount, os: Os): Promise<void> => {
    const path = resource.spec.pool ?? POOL;
    if (path !== POOL && (path === ROOT || path.startsWith(`${ROOT}/`)))
        throw invalid(`pool ${path} is inside ${ROOT}, which zeroform keeps for itself`, "Leave pool out for zeroform's own pool.");
    if (resource.spec.pool === undefined) await os.files.makeDirectory(POOL);
    const found = await os.files.stat(path);
    if (!found?.directory)
        throw invalid(`pool ${path} is ${found === undefined ? "not there" : "not a directory"}`, "Name a directory of the node.");
    const { type } = await os.files.fileSystem(path);
    if (!REAL_FILE_SYSTEMS.includes(type))
        throw invalid(
            `pool ${path} is on ${type}, where no space can be reserved`,
            `Name one on ${REAL_FILE_SYSTEMS.slice(0, 3).join(", ")}.`,
        );
};

/** Refuses what will not fit, also when all of the trash there is gone and the others have got what they were promised. */
export const requireRoom = async (resource: ImageMount, context: Context): Promise<void> => {
    const { os } = context;
    const path = resource.spec.pool ?? POOL;
    const [room, missing] = await Promise.all([roomAt(path, os), missingBytes(resource, os)]);
    if (missing === 0) return;
    let promised = 0;
    for (const other of (context.resources("ZMount") as readonly ZMount[]).filter(isImage)) {
        if (other.life !== resource.life && (await sameDevice(other.spec.pool ?? POOL, room.device, os))) {
            promised += await missingBytes(other, os);
        }
    }
    const trashed = await trashAt(room.device, context);
    const trashedBytes = trashed.reduce((sum, { bytes }) => sum + bytes, 0);
    if (room.freeBytes - promised + trashedBytes < missing) throw noRoom(resource, missing, path, { ...room, promised });
};

/** Lets go of trash, oldest first, until a ZMount's space fits; of nothing when it will not fit even so. */
export const makeRoom = async (resource: ImageMount, context: Context): Promise<void> => {
    const { os, progress } = context;
    const path = resource.spec.pool ?? POOL;
    const missing = await missingBytes(resource, os);
    const { device, freeBytes } = await roomAt(path, os);
    if (missing <= freeBytes) return;
    const trashed = await trashAt(device, context);
    if (freeBytes + trashed.reduce((sum, { bytes }) => sum + bytes, 0) < missing) {
        throw noRoom(resource, missing, path, { ...(await roomAt(path, os)), promised: 0 });
    }
    for (const { item } of trashed) {
        if (missing <= (await roomAt(path, os)).freeBytes) return;
        progress(`purging ${item.resource.kind} "${item.resource.name}" from the trash to make room`);
        await context.purgeNow(item);
    }
};

/** Reserves space that there was room for; what the disk says after all is that somebody else took it meanwhile. */
export const reserving = async (resource: ImageMount, directory: string, os: Os, reserve: () => Promise<void>): Promise<void> => {
    try {
        await reserve();
    } catch (failure) {
        if (!(failure instanceof ProgramFailure && failure.words.includes("No space left"))) throw failure;
        throw noRoom(resource, await missingBytes(resource, os), directory, { ...(await roomAt(directory, os)), promised: 0 });
    }
};

const noRoom = (
    resource: ImageMount,
    missing: number,
    path: string,
    room: { readonly freeBytes: number; readonly totalBytes: number; readonly kept: number; readonly promised: number },
): ZeroformError => {
    const notes = [
        room.kept > 0 ? `${formatRough(room.kept)} more are kept for the agent` : "",
        room.promised > 0 ? `${formatRough(room.promised)} of it are promised to other ZMounts` : "",
    ].filter((note) => note !== "");
    const what = missing === bytesOf(resource.spec.size) ? "" : ` more, for ${resource.spec.size} in all`;
    return new ZeroformError({
        code: "NO_ROOM",
        message: `no room for ${formatRough(missing)}${what} in ${path}: ${formatRough(Math.max(0, room.freeBytes))} of ${formatRough(room.totalBytes)} are free${notes.length > 0 ? ` (${notes.join(", ")})` : ""}`,
        hint: "Make it smaller, free space on the node, or name another pool.",
    });
};

/** Room for images on the file system of a path. */
const roomAt = async (path: string, os: Os) => {
    const fileSystem = await os.files.fileSystem(path);
    const kept = (await sameDevice(ROOT, fileSystem.device, os)) ? RESERVE_BYTES : 0;
    return { device: fileSystem.device, totalBytes: fileSystem.totalBytes, freeBytes: Math.max(0, fileSystem.freeBytes - kept), kept };
};

/** Bytes that a ZMount has still to be given in its pool: all of them while its image is on another file system. */
const missingBytes = async (resource: ImageMount, os: Os): Promise<number> => {
    const { directory, image: path } = placesOf(resource);
    const actual = await locate(resource, os);
    const image = await os.files.stat(actual.image);
    const wanted = bytesOf(resource.spec.size);
    if (image === undefined) return wanted;
    const pool = await os.files.stat(resource.spec.pool ?? POOL);
    if (actual.directory !== directory && pool?.device !== image.device) {
        const copies = await Promise.all([path, `${path}${UNFINISHED_MOVE}`].map((copy) => os.files.stat(copy)));
        return Math.max(0, wanted - copies.reduce((sum, copy) => sum + (copy?.reservedBytes ?? 0), 0));
    }
    return Math.max(0, wanted - image.bytes) + Math.max(0, image.bytes - image.reservedBytes);
};

const sameDevice = async (path: string, device: number, os: Os): Promise<boolean> => (await os.files.stat(path))?.device === device;

/** What the trash holds on a device, with what letting go of it would give. */
const trashAt = async (device: number, { os, trash }: Context): Promise<readonly { readonly item: Trashed; readonly bytes: number }[]> => {
    const found = [];
    for (const item of [...trash("ZMount"), ...trash("Zdb")]) {
        // What lies on a device of its own gives no room here.
        if ("device" in item.resource.spec && item.resource.spec.device !== undefined) continue;
        if (await sameDevice(item.place, device, os)) found.push({ item, bytes: await os.files.diskUsage(item.place) });
    }
    return found;
};

const GIB = 2 ** 30;
const MIB = 2 ** 20;

/** A size for people, where it need not be exact. */
export const formatRough = (bytes: number): string => (bytes >= GIB ? `${round(bytes / GIB)}GiB` : `${round(bytes / MIB)}MiB`);

const round = (amount: number): string => (Math.floor(amount * 10) / 10).toString();

const invalid = (message: string, hint: string) => new ZeroformError({ code: "INVALID", message, hint });
