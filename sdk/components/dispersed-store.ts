import * as pulumi from "@pulumi/pulumi";
import { bytesOf, size as sizeSchema } from "../../schema/quantity.ts";
import type { Node } from "../node.ts";
import { argsOf, whatIs } from "../placement.ts";
import { Zdb } from "../zdb.ts";
import type { ZMount } from "../zmount.ts";
import { ZStor, type ZStorArgs } from "../zstor.ts";

/** A machine that holds a part of the store, on a ZMount of it or in the agent's own data directory. */
export type StorePlace = ({ readonly node: Node; readonly mount?: undefined } | { readonly mount: ZMount; readonly node?: undefined }) & {
    /** IP address of that machine at which the front end reaches it. */
    readonly listen: pulumi.Input<string>;
};

type PassedOn = Pick<ZStorArgs, "minParity" | "compression" | "secret" | "scrub" | "deadAfter" | "timeouts">;

export interface DispersedStoreArgs extends PassedOn {
    /** The machine that the front end runs on. */
    readonly node: Node;
    /** The machines that hold the parts, each by a name that stays: `{ alpha: { node: alpha, listen: "10.0.0.11" }, ... }`. */
    readonly places: Readonly<Record<string, StorePlace>>;
    /** Bytes that can be put into it: `"100GiB"`. What redundancy takes comes on top. */
    readonly size: string | number;
    /** Quota of each of the namespaces for metadata. @default "1GiB" */
    readonly metadataSize?: string | number | undefined;
    /** Shards that are enough to read a stripe. @default 4 */
    readonly dataShards?: number | undefined;
    /** Shards more than that. @default 2 */
    readonly parityShards?: number | undefined;
    /** So many places may be lost at once, whichever. @default 1 */
    readonly redundantGroups?: number | undefined;
}

/** So many replicas tolerate one that is lost, or one that lies. */
const METADATA_REPLICAS = 4;
/** Room that the engine leaves on each backend. */
const RESERVE_BYTES = 16 * 2 ** 20;
/** What sealing, keys and stripes that are not full take of large objects, and then some. */
const OVERHEAD = 1 / 16;

/**
 * A dispersed object store over several machines: the namespaces for its shards and its metadata, and the front end.
 *
 * @example
 * const places = { alpha: { node: alpha, listen: "10.0.0.11" }, beta: { mount: disk, listen: "10.0.0.12" }, gamma, delta };
 * const store = new DispersedStore("photos", { node: alpha, places, size: "100GiB" });
 * export const secret = store.secret;
 */
export class DispersedStore extends pulumi.ComponentResource {
    /** The front end. */
    readonly store: ZStor;
    /** Namespaces for shards, by place. */
    readonly data: Readonly<Record<string, readonly Zdb[]>>;
    /** Namespaces for metadata, by place: for the life of the store. */
    readonly metadata: Readonly<Record<string, Zdb>>;
    /** Opens the store: with one of the metadata namespaces it is all that a recovery needs. */
    readonly secret: pulumi.Output<string>;
    /** Command line on the node of the front end, as root: `put`, `get`, `ls`, `status` ... */
    readonly command: pulumi.Output<string>;

    constructor(name: string, args: DispersedStoreArgs, options?: pulumi.ComponentResourceOptions) {
        const resource = `DispersedStore "${name}"`;
        const { node, places, size, metadataSize = "1GiB", ...rest } = argsOf(resource, args);
        const { dataShards = 4, parityShards = 2, redundantGroups = 1, ...passedOn } = rest;
        const all = placesOf(resource, places);
        const layout = { dataShards, parityShards, redundantGroups };
        const { partsOfPlace, partBytes } = partsFor(bytesIn(resource, "size", size), all.length, layout);
        super("zeroform:index:DispersedStore", name, {}, options);

        const namespace = (suffix: string, place: StorePlace, quota: string | number) =>
            new Zdb(`${name}-${suffix}`, { ...place, size: quota, durability: "commit" }, { parent: this });
        this.data = Object.fromEntries(
            all.map(([key, place]) => [key, numbersTo(partsOfPlace).map((part) => namespace(`${key}-${part}`, place, partBytes))]),
        );
        this.metadata = Object.fromEntries(
            all.slice(0, METADATA_REPLICAS).map(([key, place]) => [key, namespace(`${key}-metadata`, place, metadataSize)]),
        );
        // Several shards of a stripe may lie on one machine: that is what `redundantGroups` counts, so each part is a disk of its own here.
        const backends = Object.entries(this.data).flatMap(([key, parts]) =>
            parts.map((zdb, index) => ({ zdb, disk: `${key}-${index + 1}` })),
        );
        const metadata = Object.values(this.metadata);
        this.store = new ZStor(name, { ...passedOn, ...layout, node, backends, metadata }, { parent: this });
        this.secret = this.store.secret;
        this.command = this.store.command;
        this.registerOutputs({ secret: this.secret, command: this.command });
    }
}

const placesOf = (resource: string, places: DispersedStoreArgs["places"]): readonly (readonly [string, StorePlace])[] => {
    if (typeof places === "object" && places !== null && !Array.isArray(places) && Object.keys(places).length > 0)
        return Object.entries(places);
    throw new pulumi.RunError(`${resource}: places must be an object of { node (or mount), listen } by name, not ${whatIs(places)}.`);
};

const bytesIn = (resource: string, argument: string, given: string | number): number => {
    const { success, data, error } = sizeSchema().safeParse(given);
    if (success) return bytesOf(data);
    throw new pulumi.RunError(`${resource}: ${argument}: ${error.issues[0]?.message}.`);
};

interface Layout {
    readonly dataShards: number;
    readonly parityShards: number;
    readonly redundantGroups: number;
}

/** As many parts on each place, and as large, that all of the store has room on the places that are left after the loss that is meant. */
const partsFor = (bytes: number, places: number, { dataShards, parityShards, redundantGroups }: Layout) => {
    const left = Math.max(1, places - redundantGroups);
    const partsOfPlace = Math.ceil((dataShards + parityShards) / left);
    const shardBytes = (bytes * (1 + OVERHEAD) * (dataShards + parityShards)) / dataShards;
    return { partsOfPlace, partBytes: Math.ceil(shardBytes / (left * partsOfPlace)) + RESERVE_BYTES };
};

const numbersTo = (last: number): readonly number[] => Array.from({ length: last }, (_, index) => index + 1);
