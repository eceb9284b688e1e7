import { ZeroformError } from "../../protocol/errors.ts";
import { bytesOf, formatSize } from "../../schema/quantity.ts";
import type { Context } from "./driver.ts";
import { namespaceOf, serverOf, sharesServer, type Zdb } from "./zdb-places.ts";
import type { ZMount } from "./zmount-places.ts";

const MIB = 2 ** 20;

/*
 * What the engine promises: a log takes at most twice what its live records take, and two segments, which are a sixteenth of the quota
 * between these two. A server keeps back room for deletions, and for rewriting its largest segment, on a disk that is full.
 */
const LEAST_SEGMENT = 16 * MIB;
const MOST_SEGMENT = 64 * MIB;
const FOR_DELETIONS = 4 * MIB;
const RESERVE_FILE = ".reserve";

/** Of the room that is missing: what a file system takes for itself, and some. */
const WITH_FILE_SYSTEM = 1.05;

const segmentBytes = (size: number): number => Math.min(Math.max(Math.ceil(size / 16), LEAST_SEGMENT), MOST_SEGMENT);
const logBytes = (size: number): number => 2 * (size + segmentBytes(size));
const reserveBytes = (sizes: readonly number[]): number => FOR_DELETIONS + Math.max(...sizes.map(segmentBytes));

/** What a server may take on its disk whose namespaces have these quotas. */
export const roomFor = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + logBytes(size), 0) + reserveBytes(sizes);

/** Refuses a Zdb, or a growth of it, for which its mount has no room beside the others on it, unless its program says so. */
export const requireRoom = async (wanted: Zdb, old: Zdb | undefined, context: Context): Promise<void> => {
    const mount = wanted.uses.mount as ZMount | undefined;
    if (mount === undefined || wanted.spec.oversubscribe || !asksForMore(wanted, old)) return;
    const others = (context.resources("Zdb") as readonly Zdb[]).filter(
        // Another life of the same resource is what it replaces: what that has shows in what is free.
        (each) => each.life !== wanted.life && each.urn !== wanted.urn && sharesServer(each, wanted),
    );
    const sizes = [wanted, ...others].map(({ spec }) => bytesOf(spec.size));
    const needed = roomFor(sizes);
    const room = await roomOn(mount, wanted, others, context);
    if (needed <= room) return;
    const own = bytesOf(wanted.spec.size);
    throw new ZeroformError({
        code: "INVALID",
        message:
            `size ${wanted.spec.size} may take ${shown(logBytes(own))} on the disk (twice its size and two segments of ${shown(segmentBytes(own))})` +
            `${besides(others)}, its server keeps back ${shown(reserveBytes(sizes))}: that is ${shown(needed)}, ` +
            `and ZMount "${mount.name}"${mount.spec.size === undefined ? "" : ` of ${mount.spec.size}`} has ${shown(room)} for it`,
        hint: `${largerMount(mount, needed - room)}, write a smaller size, or oversubscribe: true when not all of it will be used at the same time.`,
    });
};

const asksForMore = (wanted: Zdb, old: Zdb | undefined): boolean =>
    old === undefined || old.spec.oversubscribe || bytesOf(wanted.spec.size) > bytesOf(old.spec.size);

/** One that takes a whole device has no size that could be written larger. */
const largerMount = ({ spec: { size } }: ZMount, missing: number): string => {
    if (size === undefined) return `Take a device for the ZMount that has ${shown(missing)} more`;
    return `Make the ZMount ${formatSize(Math.ceil((bytesOf(size) + missing * WITH_FILE_SYSTEM) / MIB) * MIB)} or larger`;
};

/** What is free on a mount, and what is these Zdbs' already. Of one that is not there at the moment, more than it can have. */
const roomOn = async (mount: ZMount, wanted: Zdb, others: readonly Zdb[], { os }: Context): Promise<number> => {
    const { mountPoint, data, index } = serverOf(wanted);
    if (mountPoint === undefined || !(await os.mounts.list()).has(mountPoint)) return bytesOf(mount.spec.size ?? Number.MAX_SAFE_INTEGER);
    const { freeBytes } = await os.files.fileSystem(mountPoint);
    const places = [wanted, ...others].map(namespaceOf).flatMap((name) => [`${data}/${name}`, `${index}/${name}`]);
    const used = await Promise.all([...places, `${data}/${RESERVE_FILE}`].map((place) => os.files.diskUsage(place)));
    return used.reduce((sum, bytes) => sum + bytes, freeBytes);
};

const besides = (others: readonly Zdb[]): string => {
    if (others.length === 0) return "";
    const taken = others.reduce((sum, { spec }) => sum + logBytes(bytesOf(spec.size)), 0);
    const [one] = others;
    const who = others.length === 1 && one !== undefined ? `Zdb "${one.name}"` : `${others.length} other Zdbs`;
    return `, ${who} beside it ${shown(taken)}`;
};

/** In whole MiB, or GiB with two decimals: nobody wants to read bytes. */
const shown = (bytes: number): string => {
    const mib = Math.ceil(bytes / MIB);
    return mib < 1024 ? `${mib}MiB` : `${Math.ceil((mib / 1024) * 100) / 100}GiB`;
};
