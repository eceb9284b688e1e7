import { createHash } from "node:crypto";
import { type Life, parseResourceId, type TenantId } from "../../protocol/ids.ts";
import { MOUNTS, RUN, SERVICES, ZDBS } from "../../protocol/layout.ts";
import type { zdb } from "../../schema/zdb.ts";
import { mountUnitOf } from "../os/unit-names.ts";
import type { Resource, Trashed } from "./driver.ts";
import { mountPointOf } from "./zmount-places.ts";

export type Zdb = Resource<typeof zdb>;

/** The process that serves all namespaces of one tenant on one mount, so that two tenants never share one. */
export interface ZdbServer {
    readonly id: string;
    readonly tenant: TenantId;
    /** The mount point that its data lie on; undefined for the agent's own directory. */
    readonly mountPoint: string | undefined;
    readonly mountUnit: string | undefined;
    /** Everything that servers have on this file system. */
    readonly root: string;
    readonly data: string;
    readonly index: string;
    readonly unit: string;
    readonly config: string;
    /** Digests of the passwords that were set last; beside the data, with which they come and go. */
    readonly digests: string;
    readonly adminSocket: string;
}

const ID_LENGTH = 12;

export const serverOf = (resource: Zdb): ZdbServer => {
    const mount = mountOf(resource);
    const id = createHash("sha256")
        .update(`${resource.tenant}\0${mount ?? "node"}`)
        .digest("hex")
        .slice(0, ID_LENGTH);
    const mountPoint = mount === undefined ? undefined : mountPointOf(mount);
    const root = rootOn(mount);
    return {
        id,
        tenant: resource.tenant,
        mountPoint,
        mountUnit: mountPoint === undefined ? undefined : mountUnitOf(mountPoint),
        root,
        data: `${root}/${id}/data`,
        index: `${root}/${id}/index`,
        unit: `zeroform-zdb@${id}.service`,
        config: `${SERVICES}/zdb-${id}.json`,
        digests: `${root}/${id}/password-digests`,
        adminSocket: `${RUN}/zdb-${id}.sock`,
    };
};

/** Whether one process serves both: `serverOf` says the same at the cost of a digest each. */
export const sharesServer = (one: Zdb, other: Zdb): boolean => one.tenant === other.tenant && mountOf(one) === mountOf(other);

const LONGEST_NAME = 64;
const LIFE_LETTERS = 6;

/** What it is called on its server: to be recognised by people, and never the same for two lives. */
export const namespaceOf = ({ name, life }: Pick<Zdb, "name" | "life">): string => {
    const safe = name.replace(/[^A-Za-z0-9_.-]+/g, "-").replace(/^[.-]+/, "");
    return `${safe.slice(0, LONGEST_NAME) || "zdb"}-${life.slice(1, 1 + LIFE_LETTERS)}`;
};

export const trashedNamespace = (resource: Zdb): string => `${rootOn(mountOf(resource))}/.trash/${resource.life}`;

/** Where trash is now: a mount that has been exchanged carries what lies on it to where it is mounted. */
export const placeNow = ({ resource, place }: Trashed<typeof zdb>): string => {
    const mount = mountOf(resource);
    const inside = place.startsWith(`${MOUNTS}/`) ? place.slice(MOUNTS.length + 1) : undefined;
    return mount === undefined || inside === undefined ? place : `${mountPointOf(mount)}${inside.slice(inside.indexOf("/"))}`;
};

const rootOn = (mount: Life | undefined): string => (mount === undefined ? ZDBS : `${mountPointOf(mount)}/zdb`);

/** The input still tells when the mount itself is forgotten already. */
const mountOf = ({ uses, spec }: Zdb): Life | undefined =>
    uses.mount?.life ?? (spec.mount === undefined ? undefined : parseResourceId(spec.mount)?.life);
