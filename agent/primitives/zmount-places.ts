import type { Life } from "../../protocol/ids.ts";
import { MOUNTS, POOL, SERVICES } from "../../protocol/layout.ts";
import type { zmount } from "../../schema/zmount.ts";
import { mountUnitOf } from "../os/unit-names.ts";
import type { Resource } from "./driver.ts";

/** A copy that is not complete. */
export const UNFINISHED_MOVE = ".moving";

export type ZMount = Resource<typeof zmount>;

/** One whose space is an image file in a pool. */
export type ImageMount = ZMount & { readonly spec: { readonly size: string; readonly device?: undefined } };

/** One that has a block device of the node to itself. */
export type DeviceMount = ZMount & { readonly spec: { readonly device: string } };

export const isOnDevice = (resource: ZMount): resource is DeviceMount => resource.spec.device !== undefined;

export const isImage = (resource: ZMount): resource is ImageMount => !isOnDevice(resource) && resource.spec.size !== undefined;

/** Where everything of a ZMount lies; all names come from its life. */
export interface Places {
    /** The directory of ours in the pool. */
    readonly directory: string;
    /** Tells our directory from a bare mount point of the same name whose disk is not there. */
    readonly marker: string;
    readonly image: string;
    readonly mountPoint: string;
    readonly mountUnit: string;
    readonly checkUnit: string;
    readonly record: string;
}

export const placesOf = ({ life, spec }: Pick<ZMount, "life"> & { readonly spec: Pick<ZMount["spec"], "pool"> }): Places => {
    const directory = poolDirectory(spec.pool);
    return {
        directory,
        marker: `${directory}/.pool`,
        image: `${directory}/${life}.img`,
        mountPoint: mountPointOf(life),
        mountUnit: mountUnitOf(mountPointOf(life)),
        checkUnit: `zeroform-fsck@${life}.service`,
        record: `${SERVICES}/zmount-${life}.env`,
    };
};

/** Where a ZMount is mounted. */
export const mountPointOf = (life: Life): string => `${MOUNTS}/${life}`;

export const trashedImage = ({ life, spec }: ZMount): string => trashOf(poolDirectory(spec.pool), life);

/** Where an image lies in the trash of a pool. */
export const trashOf = (directory: string, life: Life): string => `${directory}/.trash/${life}.img`;

/** The pool that a trashed image is in. */
export const poolOfTrash = (place: string): Pick<Places, "directory" | "marker"> => {
    const directory = place.slice(0, place.lastIndexOf("/.trash/"));
    return { directory, marker: `${directory}/.pool` };
};

const poolDirectory = (pool: string | undefined): string => (pool === undefined ? POOL : `${pool}/zeroform`);
