import * as pulumi from "@pulumi/pulumi";
import { bytesOf, size as sizeSchema } from "../../schema/quantity.ts";
import type { Node } from "../node.ts";
import { argsOf, whatIs } from "../placement.ts";
import { Zdb } from "../zdb.ts";
import type { ZMount } from "../zmount.ts";
import { ZStor, type ZStorArgs } from "../zstor.ts";
import { metadataFor, partsFor, refusalOf } from "./dispersed-layout.ts";

/** A machine that holds a part of the store, on a ZMount of it or in the agent's own data directory. */
export type StorePlace = ({ readonly node: Node; readonly mount?: undefined } | { readonly mount: ZMount; readonly node?: undefined }) & {
    /** IP address of that machine at which the front end reaches it. */
    readonly listen: pulumi.Input<string>;
};

type PassedOn = Pick<ZStorArgs, "minParity" | "compression" | "secret" | "cache" | "scrub" | "deadAfter" | "timeouts">;

export interface DispersedStoreArgs extends PassedOn {
    /** The machine that the front end runs on. */
    readonly node: Node;
    /** The machines that hold the parts, each by a name that stays: `{ alpha: { node: alpha, listen: "10.0.0.11" }, ... }`. */
    readonly places: Readonly<Record<string, StorePlace>>;
    /** The machines that hold its metadata, each all of it, by names that stay: 4 of them, or 3. @default the first 4 of `places` */
    readonly metadata?: Readonly<Record<string, StorePlace>> | undefined;
    /** Bytes that can be put into it: `"100GiB"`, in objects of some MiB; small ones take up to twice as much. What redundancy takes comes on top. */
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
    /** Namespaces for metadata, by place. */
    readonly metadata: Readonly<Record<string, Zdb>>;
    /** Opens the store: with one of the metadata namespaces it is all that a recovery needs. */
    readonly secret: pulumi.Output<string>;
    /** Command line on the node of the front end, as root: `put`, `get`, `ls`, `status` ... From elsewhere: `zeroform zstor <name>`. */
    readonly command: pulumi.Output<string>;

    constructor(name: string, args: DispersedStoreArgs, options?: pulumi.ComponentResourceOptions) {
        const resource = `DispersedStore "${name}"`;
        const { node, places: given, metadata: metadataGiven, size, metadataSize = "1GiB", ...rest } = argsOf(resource, args);
        const { dataShards = 4, parityShards = 2, redundantGroups = 1, ...passedOn } = rest;
        const layout = { dataShards, parityShards, redundantGroups };
        const places = placesOf(resource, "places", given);
        const copies =
            metadataGiven === undefined ? places.slice(0, metadataFor(redundantGroups)) : placesOf(resource, "metadata", metadataGiven);
        const refusal = refusalOf(places.length, copies.length, layout);
        if (refusal !== undefined) throw new pulumi.RunError(`${resource}: ${refusal.argument}: ${refusal.reason}.`);
        const { partsOfPlace, partBytes } = partsFor(bytesOf(sizeOf(resource, "size", size)), places.length, layout);
        const metadataQuota = sizeOf(resource, "metadataSize", metadataSize);
        super("zeroform:index:DispersedStore", name, {}, options);

        const { timeouts } = passedOn;
        const namespace = (suffix: string, place: StorePlace, quota: string | number) =>
            new Zdb(`${name}-${suffix}`, { ...place, size: quota, durability: "commit", timeouts }, { parent: this });
        this.data = Object.fromEntries(
            places.map(([key, place]) => [key, numbersTo(partsOfPlace).map((part) => namespace(`${key}-${part}`, place, partBytes))]),
        );
        this.metadata = Object.fromEntries(copies.map(([key, place]) => [key, namespace(`${key}-metadata`, place, metadataQuota)]));
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

const WRITE_PLACE = "{ node (or mount), listen }";

const placesOf = (
    resource: string,
    argument: string,
    given: Readonly<Record<string, StorePlace>>,
): readonly (readonly [string, StorePlace])[] => {
    if (!isRecord(given))
        throw new pulumi.RunError(`${resource}: ${argument} must be an object of ${WRITE_PLACE} by name, not ${whatIs(given)}.`);
    const places = Object.entries(given);
    if (places.length === 0) throw new pulumi.RunError(`${resource}: ${argument} is empty: name each machine, as ${WRITE_PLACE}.`);
    for (const [key, place] of places) checkPlace(`${resource}: ${argument}.${key}`, place);
    return places;
};

const checkPlace = (where: string, place: StorePlace): void => {
    if (!isRecord(place) || pulumi.Resource.isInstance(place))
        throw new pulumi.RunError(`${where} must be ${WRITE_PLACE}, not ${whatIs(place)}.`);
    const { node, mount, listen, ...others } = place as Readonly<Record<string, unknown>>;
    if ((node === undefined) === (mount === undefined))
        throw new pulumi.RunError(
            `${where}: give node or mount, ${node === undefined ? "and neither is there" : "not both; a mount has its node"}.`,
        );
    if (listen === undefined)
        throw new pulumi.RunError(`${where}: listen is left out: give the IP address at which the front end reaches that machine.`);
    const [unknown] = Object.keys(others);
    if (unknown !== undefined) throw new pulumi.RunError(`${where}: there is no ${unknown}; it is ${WRITE_PLACE}.`);
};

const isRecord = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value);

const sizeOf = (resource: string, argument: string, given: string | number): string => {
    const { success, data, error } = sizeSchema().safeParse(given);
    if (success) return data;
    throw new pulumi.RunError(`${resource}: ${argument}: ${error.issues[0]?.message}.`);
};

const numbersTo = (last: number): readonly number[] => Array.from({ length: last }, (_, index) => index + 1);
