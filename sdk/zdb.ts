import * as pulumi from "@pulumi/pulumi";
import { zdb } from "../schema/zdb.ts";
import type { Args } from "./args.ts";
import type { Node } from "./node.ts";
import { argsOf, type Place, type Placement, placementOn } from "./placement.ts";
import { isOfKind, type ResourceClass, resourceClass } from "./resource.ts";
import type { ZMount } from "./zmount.ts";

/** On a mount, or on a node in the agent's own data directory. */
type OnNodeOrMount =
    | {
          /** The machine it runs on, with its data in the agent's own data directory. */
          readonly node: Node;
          readonly mount?: undefined;
      }
    | {
          /** The ZMount that holds its data; it runs on the mount's node. */
          readonly mount: ZMount;
          readonly node?: undefined;
      };

export type ZdbArgs = Args<typeof zdb> & OnNodeOrMount;

const Base: ResourceClass<typeof zdb> = resourceClass(zdb);

/**
 * An always-append key-value store that speaks the Redis protocol.
 *
 * @example
 * const db = new Zdb("events", { mount: disk, size: "5GiB", listen: "10.0.0.11" });
 * export const url = db.url;
 */
export class Zdb extends Base implements Place {
    /** @internal */
    readonly placement: Placement;

    constructor(name: string, args: ZdbArgs, options?: pulumi.CustomResourceOptions) {
        const { node, mount, ...written } = argsOf(`Zdb "${name}"`, args);
        const { placement, ...place } = placeOf(`Zdb "${name}"`, node, mount);
        super(name, { ...written, ...placement, ...place }, options);
        this.placement = placement;
    }

    static isInstance(value: unknown): value is Zdb {
        return isOfKind("Zdb", value);
    }
}

const placeOf = (resource: string, node: Node | undefined, mount: ZMount | undefined) => {
    if (node !== undefined && mount !== undefined)
        throw new pulumi.RunError(`${resource}: give node or mount, not both; a mount has its node.`);
    if (mount === undefined) return { placement: placementOn(resource, "node (or mount)", "Node", node) };
    return { placement: placementOn(resource, "mount", "ZMount", mount), mount: mount.id };
};
