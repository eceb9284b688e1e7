import { z } from "zod";
import { areDistinct, isNamespaceUrl, namespaceOf } from "./namespace-url.ts";
import { onNode } from "./on-node.ts";
import { client, derived, type Failure, generated, hidden, keptOver, output, primitive, reference, secret, update } from "./primitive.ts";
import { bytesOf, duration, size } from "./quantity.ts";

/** Indexes of shards are one byte, and the tables of the erasure code stay in the processor's first cache. */
const MOST_SHARDS = 64;
const LEAST_SECRET = 16;
/** Below that all of it would be on its way out. */
const LEAST_CACHE = 16 * 2 ** 20;

const WRITE_BACKENDS =
    'write backends as a list of { zdb, group, disk, weight } or { url: "redis://<namespace>:<password>@<host>:<port>" }';
const WRITE_METADATA = 'write metadata as a list of Zdbs or of urls "redis://<namespace>:<password>@<host>:<port>"';

const NAMED_ONCE =
    "is named once: urls that differ only in password, TLS or the default port 9900 are the same namespace, which would be lost at once";

const url = (error: string) => z.string({ error }).refine(isNamespaceUrl, { error });

const backend = z.strictObject(
    {
        /** Of its namespace, with the password. */
        url: url(WRITE_BACKENDS),
        /** What is lost together. */
        group: z.string({ error: "write group as the name of what is lost together" }).min(1).max(256).optional(),
        /** What is one disk: a stripe never has two shards on one. */
        disk: z.string({ error: "write disk as a name that backends on the same disk share" }).min(1).max(256).optional(),
        /** Its share beside others' 1. */
        weight: z.number({ error: "write weight as a number above 0" }).positive().max(1_000).optional(),
        /** It may be one whose acknowledged writes a power loss takes. */
        allowUnsafe: z.boolean({ error: "write allowUnsafe as true or false" }).optional(),
    },
    { error: WRITE_BACKENDS },
);

const shards = (field: string) =>
    z
        .int({ error: `write ${field} as a whole number from 1 to ${MOST_SHARDS}` })
        .min(1)
        .max(MOST_SHARDS);
const count = (field: string) =>
    z
        .int({ error: `write ${field} as a whole number from 0` })
        .min(0)
        .max(MOST_SHARDS);

/** A dispersed object store: its front end on a node, which keeps what it is given in Zero-DB namespaces of others. */
export const zstor = primitive({
    kind: "ZStor",
    summary:
        "A dispersed object store: a front end on a node that compresses, encrypts and spreads what it is given over Zero-DB namespaces.",
    // What it stores lies in its backends.
    bearsData: false,
    inputs: {
        ...onNode,
        /** Where shards lie: `{ zdb }` or `{ url }`, each with `group` (what is lost together, default the machine of the Zdb, the host of the url), `disk` (default its server), `weight` (default 1) and `allowUnsafe` (it may be one without `durability: "commit"`). One that is taken out is emptied first. */
        backends: secret(
            update(
                z
                    .array(backend, { error: WRITE_BACKENDS })
                    .min(2, { error: "a store has at least 2 backends" })
                    .refine((all) => areDistinct(all.map((each) => each.url)), { error: `each backend ${NAMED_ONCE}` }),
            ),
        ),
        /** Where its metadata lie, each with all of it: Zdbs of `mode: "user"` or urls, 4 of them so that one may be lost or lie. Another one in the place of one is filled before it counts, and what is no longer listed is then emptied; one at a time, so list at most one fewer than there are. */
        metadata: secret(
            update(
                z
                    .array(url(WRITE_METADATA), { error: WRITE_METADATA })
                    .min(1, { error: "a store has at least one namespace for its metadata" })
                    .refine(areDistinct, { error: `each metadata namespace ${NAMED_ONCE}` }),
            ),
        ),
        /** K: shards that are enough to read a stripe. A change is for what is put from then on. @default 4 */
        dataShards: update(shards("dataShards").default(4)),
        /** M: shards more than that. @default 2 */
        parityShards: update(shards("parityShards").default(2)),
        /** So many groups may be lost at once, whichever. @default 0 */
        redundantGroups: update(count("redundantGroups").default(0)),
        /** And so many backends in each other group. @default 0 */
        redundantNodes: update(count("redundantNodes").default(0)),
        /** A put is acknowledged with so many shards more than K, when no better can be had; at least 1. @default 1 */
        minParity: update(count("minParity").default(1)),
        /** Compress what gets smaller by it. @default true */
        compression: update(z.boolean({ error: "write compression as true or false" }).default(true)),
        /** Opens the store: whoever has it and one of the metadata namespaces has everything. 16 characters and more. @default generated, and kept, also by a front end on another node */
        secret: secret(
            keptOver(
                generated(
                    update(
                        z
                            .string({ error: "write secret as a string" })
                            .min(LEAST_SECRET, { error: `a secret has at least ${LEAST_SECRET} characters` })
                            .max(1_024, { error: "a secret has at most 1024 characters" })
                            .optional(),
                    ),
                ),
            ),
        ),
        /** Every shard is read and compared once in this time; `"0s"`: only when asked. @default "30d" */
        scrub: update(duration().default("30d")),
        /** A backend that does not answer for so long is dead: its shards are made again elsewhere. @default "10m" */
        deadAfter: update(duration().default("10m")),
        /** Keeps chunks that were read on a disk of its node, encrypted as they are stored: `{ mount, size }`, a ZMount on the same node and at least 16MiB. Nothing but speed is lost with it. @default none */
        cache: reference(update(z.string().optional())),
        /** How much of the mount it may take. */
        cacheSize: hidden(
            update(
                size()
                    .refine((given) => bytesOf(given) >= LEAST_CACHE, { error: "a cache has at least 16MiB" })
                    .optional(),
            ),
        ),
        /** How many backends and groups there are, which a preview knows when their urls are not known yet. */
        spread: hidden(client(z.object({ backends: z.int(), groups: z.int() }).optional())),
    },
    outputs: {
        /** Unix socket of its front end on the node: `zeroform-agent zstor --socket <socket> put|get|ls|status ...`. */
        socket: output(z.string()),
        /** The same as a command line for root on the node. */
        command: derived(z.string()),
    },
    refine: (inputs) => [...refuseShards(inputs), ...refuseSpread(inputs), ...refuseShared(inputs)],
    derive: ({ reported }) => ({ command: `/var/lib/zeroform/current/zeroform-agent zstor --socket ${reported.socket}` }),
});

type Inputs = Readonly<Record<string, unknown>>;

/** What no set of backends could satisfy. */
const refuseShards = ({ dataShards, parityShards, minParity }: Inputs): readonly Failure[] => {
    if (typeof parityShards !== "number") return [];
    if (typeof dataShards === "number" && dataShards + parityShards > MOST_SHARDS)
        return [{ property: "parityShards", reason: `dataShards and parityShards are ${MOST_SHARDS} together at most` }];
    if (typeof minParity === "number" && minParity > parityShards)
        return [{ property: "minParity", reason: `minParity is at most parityShards, which is ${parityShards}` }];
    return [];
};

/** What is emptied when it is taken out of one list must not be in the other. */
const refuseShared = ({ backends, metadata }: Inputs): readonly Failure[] => {
    const data = z.array(backend).safeParse(backends);
    const places = z.array(z.string()).safeParse(metadata);
    if (!data.success || !places.success) return [];
    const ofMetadata = new Set(places.data.map(namespaceOf));
    const shared = data.data.filter(({ url: text }) => ofMetadata.has(namespaceOf(text))).length;
    if (shared === 0) return [];
    const reason = `${shared} of the namespaces in backends are in metadata as well: a namespace is for shards or for metadata, so give each list its own`;
    return [{ property: "backends", reason }];
};

/** What these backends cannot satisfy, whatever their state. */
const refuseSpread = (inputs: Inputs): readonly Failure[] => {
    const { dataShards, parityShards, redundantGroups, redundantNodes } = inputs;
    const there = spreadOf(inputs);
    if (there === undefined || typeof dataShards !== "number" || typeof parityShards !== "number") return [];
    const all = dataShards + parityShards;
    if (all > there.backends) {
        const reason = `dataShards ${dataShards} and parityShards ${parityShards} need ${all} backends, one for each shard, and there are ${there.backends}: add backends or write smaller numbers`;
        return [{ property: "dataShards", reason }];
    }
    if (typeof redundantGroups !== "number" || typeof redundantNodes !== "number") return [];
    const lost = leastLost(all, there.groups, redundantGroups, redundantNodes);
    if (lost <= parityShards) return [];
    const losses = `a loss of ${redundantGroups} groups and of ${redundantNodes} backends in each other group`;
    const reason = `${losses} takes at least ${Math.min(lost, all)} of ${all} shards, and parityShards is ${parityShards}: the backends are in ${there.groups} groups; spread them over more, or raise parityShards`;
    return [{ property: redundantGroups > 0 ? "redundantGroups" : "redundantNodes", reason }];
};

const spreadOf = ({ backends, spread }: Inputs): { readonly backends: number; readonly groups: number } | undefined => {
    const known = z.array(backend).safeParse(backends);
    if (known.success) return { backends: known.data.length, groups: new Set(known.data.map(groupOf)).size };
    const counted = z.object({ backends: z.int(), groups: z.int() }).safeParse(spread);
    return counted.success ? counted.data : undefined;
};

const groupOf = ({ group, url: text }: z.output<typeof backend>): string => group ?? (URL.canParse(text) ? new URL(text).hostname : text);

/** Shards that the loss takes of the best layout, or fewer: over as many groups as is best, evenly, at least one backend of each other group. */
const leastLost = (all: number, groups: number, redundantGroups: number, redundantNodes: number): number => {
    let least = Number.POSITIVE_INFINITY;
    for (let used = 1; used <= Math.min(groups, all); used++) {
        const largest = Math.min(redundantGroups, used);
        const ofLargest = largest * Math.floor(all / used) + Math.min(largest, all % used);
        least = Math.min(least, ofLargest + (used - largest) * Math.min(redundantNodes, 1));
    }
    return least;
};
