import type { Life } from "../../protocol/ids.ts";
import { bytesOf, formatSize } from "../../schema/quantity.ts";
import type { zmount } from "../../schema/zmount.ts";
import { formats } from "../os/formats/index.ts";
import type { Os } from "../os/os.ts";
import type { Observation } from "./driver.ts";
import { type ImageMount, placesOf } from "./zmount-places.ts";
import { actualPlaces, CHECK, mountUnitFor, parseRecord } from "./zmount-units.ts";

/** What the node shows about one ZMount. */
export interface ZMountFacts {
    readonly poolThere: boolean;
    readonly image: { readonly bytes: number; readonly reservedBytes: number } | undefined;
    /** A record says that it was made. */
    readonly recorded: boolean;
    /** The pool that it is still in, when its spec names another. */
    readonly elsewhere: string | undefined;
    /** Size of the image up to which its file system has been grown. */
    readonly grownTo: number | undefined;
    readonly mount:
        | {
              /** What its file system did to itself after an error. */
              readonly failed: "read-only" | "shut down" | undefined;
              /** `other`: what is mounted is not this image. */
              readonly of: "image" | "deleted image" | "other";
              readonly bytes: number;
              readonly discards: boolean;
          }
        | undefined;
    readonly unitsInstalled: boolean;
}

export type AllZMountFacts = ReadonlyMap<Life, ZMountFacts>;

export const gatherZMounts = async (os: Os, resources: readonly ImageMount[]): Promise<AllZMountFacts> => {
    const [mounts, check] = await Promise.all([os.mounts.list(), os.systemd.installed(CHECK)]);
    return new Map(
        await Promise.all(
            resources.map(async (resource): Promise<[Life, ZMountFacts]> => {
                const wanted = placesOf(resource);
                const text = await os.files.readText(wanted.record);
                const record = parseRecord(text);
                const places = record === undefined ? wanted : actualPlaces(wanted, record);
                const mounted = mounts.get(places.mountPoint);
                const [marker, image, loop, unit, shutDown] = await Promise.all([
                    os.files.stat(places.marker),
                    os.files.stat(places.image),
                    mounted && os.loops.byNumber(mounted.device),
                    os.systemd.installed(mountUnitFor(resource)),
                    mounted && os.mounts.isShutDown(places.mountPoint),
                ]);
                const backing = loop && (await os.files.stat(loop.backingFile));
                return [
                    resource.life,
                    {
                        poolThere: marker !== undefined,
                        image,
                        recorded: text !== undefined,
                        elsewhere: places.image === wanted.image ? undefined : places.directory,
                        grownTo: record?.grownTo,
                        mount: mounted && {
                            failed: failureOf(mounted.readOnly, shutDown ?? false),
                            of: backingOf(backing, image, loop?.backingFile === `${places.image} (deleted)`),
                            bytes: loop?.bytes ?? 0,
                            discards: loop?.discards ?? false,
                        },
                        unitsInstalled: (check || formats[resource.spec.filesystem].check === undefined) && unit,
                    },
                ];
            }),
        ),
    );
};

export const failureOf = (readOnly: boolean, shutDown: boolean) => {
    if (shutDown) return "shut down";
    return readOnly ? "read-only" : undefined;
};

type Identity = { readonly device: number; readonly inode: number } | undefined;

const backingOf = (backing: Identity, image: Identity, deleted: boolean) => {
    if (deleted) return "deleted image";
    return backing !== undefined && backing.device === image?.device && backing.inode === image.inode ? "image" : "other";
};

/** Judges a ZMount by the facts alone. */
export const observeZMount = (resource: ImageMount, facts: AllZMountFacts): Observation<typeof zmount> => {
    const found = facts.get(resource.life);
    if (found === undefined) return { state: "absent" };
    const places = placesOf(resource);
    const outputs = { path: places.mountPoint, ...(found.image !== undefined && { sizeBytes: found.image.bytes }) };
    const why = driftOf(found, bytesOf(resource.spec.size), places.directory, places.image);
    if (why === "absent") return { state: "absent" };
    if (why !== undefined) return { state: "drifted", why, outputs };
    const larger = found.image !== undefined && found.image.bytes > bytesOf(resource.spec.size);
    return { state: "ready", outputs, ...(larger ? { actual: { size: formatSize(found.image.bytes) } } : {}) };
};

const driftOf = (facts: ZMountFacts, wantedBytes: number, directory: string, path: string): string | undefined => {
    const { image, mount } = facts;
    if (mount?.of === "deleted image") return deletedWhileMounted(path);
    if (!facts.poolThere) return image === undefined && !facts.recorded ? "absent" : poolGone(facts.elsewhere ?? directory);
    if (image === undefined) return "absent";
    if (facts.elsewhere !== undefined) return `its data are still in ${facts.elsewhere}, on the way to ${directory}`;
    if (image.bytes < wantedBytes) return `${formatSize(image.bytes)} of ${formatSize(wantedBytes)} reserved`;
    if (image.reservedBytes < image.bytes) return `${formatSize(image.bytes - image.reservedBytes)} of its space were given away`;
    if (!facts.unitsInstalled) return "its unit files are gone or changed";
    if (mount === undefined) return "not mounted";
    if (mount.of === "other") return "something else is mounted in its place";
    if (mount.failed !== undefined) return `${mount.failed} after an error of its file system`;
    if (facts.grownTo !== image.bytes || mount.bytes < wholeSectors(image.bytes)) return "its file system has not grown to its size yet";
    if (mount.discards) return "a trim could give its space away";
    return undefined;
};

const SECTOR_BYTES = 512;
const wholeSectors = (bytes: number) => bytes - (bytes % SECTOR_BYTES);

export const poolGone = (directory: string): string =>
    `its pool is not there: ${directory} has no file ".pool"; mount the pool's disk, or make that file if the data are gone for good`;

export const deletedWhileMounted = (path: string): string =>
    `its image ${path} was deleted while it is mounted: its data are gone at the next unmount; copy them away, then unmount it`;
