import { ZeroformError } from "../../protocol/errors.ts";
import { POOL } from "../../protocol/layout.ts";
import type { Os } from "../os/os.ts";
import type { Context } from "./driver.ts";
import { broken } from "./zmount-mounting.ts";
import { poolGone } from "./zmount-observe.ts";
import { type Places, placesOf, type ZMount } from "./zmount-places.ts";
import { actualPlaces, readRecord } from "./zmount-units.ts";

type Pool = Pick<Places, "marker" | "directory">;

/** What cannot be seen is not what is not there: a pool that is away is waited for. */
export const requireGround = async ({ marker, directory }: Pool, os: Os): Promise<void> => {
    if ((await os.files.stat(marker)) !== undefined) return;
    throw new ZeroformError({ code: "NOT_READY", message: poolGone(directory), retryable: true });
};

/** Marks a pool as one of ours, unless something of this ZMount was made in it before: then its disk is away. */
export const ensureMarker = async (places: Places, os: Os): Promise<void> => {
    if ((await os.files.stat(places.marker)) !== undefined) return;
    const record = await readRecord(places, os);
    if ([record?.image, record?.other].includes(places.image)) throw broken(poolGone(places.directory));
    await os.files.writeText(places.marker, "");
};

/** Where a ZMount's image is at this moment: elsewhere than its spec says while it is being moved. */
export const locate = async (resource: ZMount, os: Os): Promise<Places> => {
    const places = placesOf(resource);
    const record = await readRecord(places, os);
    return record === undefined ? places : actualPlaces(places, record);
};

/** Takes our directory out of a pool that somebody else owns when nothing of ours is left in it. */
export const tidyPool = async (directory: string, resource: ZMount, { os, resources }: Context): Promise<void> => {
    const others = (resources("ZMount") as readonly ZMount[]).filter(({ life }) => life !== resource.life);
    if (directory === POOL || others.some((other) => placesOf(other).directory === directory)) return;
    const trash = `${directory}/.trash`;
    if ((await os.files.list(trash)).length > 0) return;
    await os.files.remove(trash);
    // A mark that was cut off while it was written is none, and no more than one.
    if ((await os.files.list(directory)).every((name) => name.startsWith(".pool"))) await os.files.remove(directory);
};
