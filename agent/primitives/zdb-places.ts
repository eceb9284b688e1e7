import { createHash } from "node:crypto";
import { type Life, parseResourceId, type TenantId } from "../../protocol/ids.ts";
import { MOUNTS, RUN, SERVICES, ZDB_RUN, ZDBS } from "../../protocol/layout.ts";
import type { zdb } from "../../schema/zdb.ts";
import type { Files } from "../os/files.ts";
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
    /** Its own directories, below: the user it runs as cannot exchange them for others. */
    readonly home: string;
    readonly data: string;
    readonly index: string;
    /** Through which namespaces go to the trash and come back: the server reaches no other place outside `data`. */
    readonly passage: string;
    readonly unit: string;
    readonly config: string;
    /** Seals passwords on the disk. */
    readonly sealKey: string;
    /** Digests of the passwords that were set last; beside the data, with which they come and go. */
    readonly digests: string;
    /** Where the agent finds the socket: a link, so that the place stays the same whoever the server runs as. */
    readonly adminSocket: string;
    /** Where the server makes it. */
    readonly ownSocket: string;
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
    const home = `${root}/${id}`;
    return {
        id,
        tenant: resource.tenant,
        mountPoint,
        mountUnit: mountPoint === undefined ? undefined : mountUnitOf(mountPoint),
        root,
        home,
        data: `${home}/data`,
        index: `${home}/index`,
        passage: `${home}/passage`,
        unit: `zeroform-zdb@${id}.service`,
        config: `${SERVICES}/zdb-${id}.json`,
        sealKey: `${SERVICES}/zdb-${id}.key`,
        digests: `${home}/password-digests`,
        adminSocket: `${RUN}/zdb-${id}.sock`,
        ownSocket: `${ZDB_RUN}/${id}/admin.sock`,
    };
};

/** Whether one process serves both: `serverOf` says the same at the cost of a digest each. */
export const sharesServer = (one: Zdb, other: Zdb): boolean => one.tenant === other.tenant && mountOf(one) === mountOf(other);

const LONGEST_NAME = 64;
const LIFE_LETTERS = 6;

/** What it is called on its server: to be recognised by people, and never the same for two lives. */
export const namespaceOf = ({ name, life }: Pick<Zdb, "name" | "life">): string => {
    const safe = name.replace(/[^A-Za-z0-9_.-]+/g, "-").replace(/^[.-]+/, "");
    return `${safe.slice(0, LONGEST_NAME) || "zdb"}${lettersOf(life)}`;
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

/** The data of a life on whatever server: its namespace ends with its letters. */
export const traceNamespace = async (life: Life, files: Pick<Files, "list">): Promise<string | undefined> => {
    const roots = [ZDBS, ...(await files.list(MOUNTS)).map((mount) => `${MOUNTS}/${mount}/zdb`)];
    for (const root of roots) {
        for (const id of await files.list(root)) {
            const data = `${root}/${id}/data`;
            const found = (await files.list(data)).find((name) => name.endsWith(lettersOf(life)));
            if (found !== undefined) return `${data}/${found}`;
        }
    }
    return undefined;
};

const lettersOf = (life: Life): string => `-${life.slice(1, 1 + LIFE_LETTERS)}`;
