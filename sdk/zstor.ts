import * as pulumi from "@pulumi/pulumi";
import { zstor } from "../schema/zstor.ts";
import type { Args } from "./args.ts";
import type { Node } from "./node.ts";
import { argsOf, isPlace, type Placement, placementOn, whatIs } from "./placement.ts";
import { isOfKind, type ResourceClass, resourceClass } from "./resource.ts";
import { Zdb } from "./zdb.ts";
import type { ZMount } from "./zmount.ts";

/** What may be said of a backend, whatever it is. */
interface BackendTerms {
    /** What is lost together. @default the machine of the Zdb, the host of the url */
    readonly group?: pulumi.Input<string> | undefined;
    /** What is one disk: a stripe never has two shards on one. @default its server */
    readonly disk?: pulumi.Input<string> | undefined;
    /** Its share beside others' 1. @default 1 */
    readonly weight?: pulumi.Input<number> | undefined;
    /** It may be one without `durability: "commit"`, whose acknowledged writes a power loss takes. @default false */
    readonly allowUnsafe?: pulumi.Input<boolean> | undefined;
}

/** Where shards lie: a Zdb of this program, or a namespace of any Zero-DB server by its url. */
export type ZStorBackend = BackendTerms &
    ({ readonly zdb: Zdb; readonly url?: undefined } | { readonly url: pulumi.Input<string>; readonly zdb?: undefined });

/** A read cache: how much of which ZMount of its node. */
export interface ZStorCache {
    readonly mount: ZMount;
    /** At least 16MiB. */
    readonly size: pulumi.Input<string | number>;
}

export type ZStorArgs = Omit<Args<typeof zstor>, "backends" | "metadata"> & {
    /** The machine that its front end runs on. */
    readonly node: Node;
    /** Where shards lie, each on its own: at least as many as `dataShards` and `parityShards` together. One that is taken out is emptied first. */
    readonly backends: readonly ZStorBackend[];
    /** Where its metadata lie, each with all of it: 4 of them, so that one may be lost or lie. Another one in the place of one is filled before it counts. */
    readonly metadata: readonly (Zdb | pulumi.Input<string>)[];
    /** Keeps chunks that were read on a disk of its node, encrypted as they are stored. Changed, moved and taken away in place. @default none */
    readonly cache?: ZStorCache | undefined;
};

const Base: ResourceClass<typeof zstor> = resourceClass(zstor);

/**
 * A dispersed object store: a front end on a node that compresses, encrypts and spreads what it is given over Zero-DB namespaces.
 *
 * @example
 * const store = new ZStor("store", { node: alpha, backends: zdbs.map((zdb) => ({ zdb })), metadata: metas, dataShards: 4, parityShards: 2 });
 * export const secret = store.secret;
 */
export class ZStor extends Base {
    constructor(name: string, args: ZStorArgs, options?: pulumi.CustomResourceOptions) {
        const resource = `ZStor "${name}"`;
        const { node, backends, metadata, cache, ...written } = argsOf(resource, args);
        const placement = placementOn(resource, "node", "Node", node);
        const lists = {
            backends: listOf(resource, "backends", backends).map((each, index) => lowered(`${resource}: backends[${index}]`, each)),
            metadata: listOf(resource, "metadata", metadata).map((each) => (Zdb.isInstance(each) ? each.url : each)),
        };
        super(name, { ...written, ...placement, ...lists, ...cacheOf(resource, cache, placement), spread: spreadOf(backends) }, options);
    }

    static isInstance(value: unknown): value is ZStor {
        return isOfKind("ZStor", value);
    }
}

/** Lists are written in the program: how long they are is known before anything else about them. */
const listOf = <T>(resource: string, argument: string, given: readonly T[]): readonly T[] => {
    if (Array.isArray(given)) return given;
    throw new pulumi.RunError(`${resource}: ${argument} must be a list, not ${whatIs(given)}.`);
};

const cacheOf = (resource: string, cache: ZStorCache | undefined, { nodeUrn }: Placement): pulumi.Inputs => {
    if (cache === undefined) return {};
    const place = `${resource}: cache`;
    const { mount, size, ...others } = argsOf(place, cache);
    const [unknown] = Object.keys(others);
    if (unknown !== undefined || size === undefined) throw new pulumi.RunError(`${place}: write { mount, size }.`);
    if (placementOn(place, "mount", "ZMount", mount).nodeUrn !== nodeUrn)
        throw new pulumi.RunError(`${place}: mount is on another node than the front end.`);
    return { cache: mount.id, cacheSize: size };
};

const lowered = (place: string, given: ZStorBackend): pulumi.Inputs => {
    const { zdb, ...terms } = argsOf(place, given);
    if (pulumi.Resource.isInstance(given) || (zdb === undefined && terms.url === undefined))
        throw new pulumi.RunError(`${place}: give { zdb } or { url }.`);
    if (zdb === undefined) return terms;
    if (terms.url !== undefined) throw new pulumi.RunError(`${place}: give zdb or url, not both; a Zdb has its url.`);
    const { node } = placementOn(place, "zdb", "Zdb", zdb);
    return { ...terms, url: zdb.url, group: terms.group ?? machineOf(node) };
};

/** Machines are what is lost together, whoever's Node they are. */
const machineOf = (node: pulumi.Input<string>): pulumi.Output<string> => pulumi.output(node).apply((id) => id.slice(0, id.indexOf("/")));

/** What is known of the backends before they are made; Zdbs are on as many machines as Nodes at most. */
const spreadOf = (backends: readonly ZStorBackend[]): pulumi.Inputs => {
    const groups = new Set<unknown>();
    for (const { group, zdb, url } of backends) groups.add(group ?? (isPlace(zdb) ? zdb.placement.nodeUrn : url));
    return { backends: backends.length, groups: groups.size };
};
