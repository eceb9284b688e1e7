import { type Life, parseResourceId } from "../../protocol/ids.ts";
import { SERVICES, ZSTOR_RUN, ZSTORS } from "../../protocol/layout.ts";
import { bytesOf } from "../../schema/quantity.ts";
import type { zstor } from "../../schema/zstor.ts";
import type { Files } from "../os/files.ts";
import { mountUnitOf } from "../os/unit-names.ts";
import type { Resource } from "./driver.ts";
import { mountPointOf } from "./zmount-places.ts";

export type ZStor = Resource<typeof zstor>;

/** The process that serves one store on this node. */
export interface FrontEnd {
    readonly unit: string;
    /** Has the secret and the credentials of all backends. */
    readonly config: string;
    /** Its own directory, of which the store needs nothing. */
    readonly home: string;
    readonly view: string;
    /** Made when another front end has taken the store over: this one does not start again until somebody asks for it. */
    readonly superseded: string;
    readonly socket: string;
}

export const frontEndOf = ({ life }: Pick<ZStor, "life">): FrontEnd => ({
    unit: `zeroform-zstor@${life}.service`,
    config: `${SERVICES}/zstor-${life}.json`,
    home: homeOf(life),
    view: `${homeOf(life)}/view`,
    superseded: `${homeOf(life)}/superseded`,
    socket: `${ZSTOR_RUN}/${life}/api.sock`,
});

/** Where a front end keeps what it has read: a directory of its own in one of root's, on a ZMount of the node. */
export interface CachePlace {
    readonly mountPoint: string;
    readonly mountUnit: string;
    readonly directory: string;
    readonly sizeBytes: number;
}

export const cacheOf = ({ life, spec, uses }: Pick<ZStor, "life" | "spec" | "uses">): CachePlace | undefined => {
    const mount = uses.cache?.life ?? (spec.cache === undefined ? undefined : parseResourceId(spec.cache)?.life);
    if (mount === undefined || spec.cacheSize === undefined) return undefined;
    const mountPoint = mountPointOf(mount);
    const directory = `${mountPoint}/zstor/${life}`;
    return { mountPoint, mountUnit: mountUnitOf(mountPoint), directory, sizeBytes: bytesOf(spec.cacheSize) };
};

/** A front end that nobody has a record of goes on writing, and has the secret. */
export const traceFrontEnd = async (life: Life, files: Pick<Files, "stat">): Promise<string | undefined> =>
    (await files.stat(homeOf(life))) === undefined ? undefined : homeOf(life);

const homeOf = (life: Life): string => `${ZSTORS}/${life}`;
