import type * as pulumi from "@pulumi/pulumi";
import { zmount } from "../schema/zmount.ts";
import type { Args } from "./args.ts";
import type { Node } from "./node.ts";
import { argsOf, type Place, type Placement, placementOn } from "./placement.ts";
import { isOfKind, type ResourceClass, resourceClass } from "./resource.ts";

type Size = NonNullable<Args<typeof zmount>["size"]>;
type Device = NonNullable<Args<typeof zmount>["device"]>;

/** Space of a given size, from a pool of the node; or a whole block device, of the size that it has. */
type SizeOrDevice =
    | { readonly size: Size; readonly device?: undefined }
    | { readonly device: Device; readonly size?: undefined; readonly pool?: undefined };

export type ZMountArgs = Args<typeof zmount> & {
    /** The machine whose disk it takes the space from. */
    readonly node: Node;
} & SizeOrDevice;

const Base: ResourceClass<typeof zmount> = resourceClass(zmount);

/**
 * Space with a hard size on a node's disk, mounted there and handed to workloads.
 *
 * @example
 * const disk = new ZMount("disk", { node: alpha, size: "20GiB" });
 * const whole = new ZMount("whole", { node: alpha, device: "/dev/disk/by-id/nvme-eui.0025388b71b2c3d4" });
 */
export class ZMount extends Base implements Place {
    /** @internal */
    readonly placement: Placement;

    constructor(name: string, args: ZMountArgs, options?: pulumi.CustomResourceOptions) {
        const { node, ...written } = argsOf(`ZMount "${name}"`, args);
        const placement = placementOn(`ZMount "${name}"`, "node", "Node", node);
        super(name, { ...written, ...placement }, options);
        this.placement = placement;
    }

    static isInstance(value: unknown): value is ZMount {
        return isOfKind("ZMount", value);
    }
}
