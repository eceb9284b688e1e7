import * as pulumi from "@pulumi/pulumi";
import { typeToken } from "../protocol/dynamic-type.ts";
import { node } from "../schema/node.ts";
import type { Args } from "./args.ts";
import { argsOf, type Place, type Placement } from "./placement.ts";
import { isOfKind, type ResourceClass, resourceClass, urnOf } from "./resource.ts";

export type NodeArgs = Args<typeof node>;

const Base: ResourceClass<typeof node> = resourceClass(node);

/**
 * A Linux machine reachable over SSH, with the agent on it.
 *
 * @example
 * const alpha = new Node("alpha", { host: "10.0.0.11" });
 */
export class Node extends Base implements Place {
    /** @internal */
    readonly placement: Placement;

    constructor(name: string, args: NodeArgs, options: pulumi.CustomResourceOptions = {}) {
        const given = argsOf(`Node "${name}"`, args);
        // An output is one value, and this one has the key in it.
        const secrets = given.privateKey === undefined ? [] : ["connection"];
        super(name, { ...given }, pulumi.mergeOptions({ additionalSecretOutputs: secrets }, options));
        this.placement = {
            node: this.id,
            nodeMachine: given.machine,
            connection: connectionOf(given, this.hostKey),
            nodeUrn: urnOf(name, typeToken("Node"), options),
        };
    }

    static isInstance(value: unknown): value is Node {
        return isOfKind("Node", value);
    }
}

/** How the node is reached: as the program says, with the host key that was pinned. */
const connectionOf = (args: NodeArgs, hostKey: pulumi.Output<string>): pulumi.Inputs => {
    const { host, port, user, identityFile, privateKey, sudo, onUnreachable, trash, installPackages } = args;
    const key = privateKey === undefined ? undefined : pulumi.secret(privateKey);
    const parts = { host, port, user, hostKey, identityFile, privateKey: key, sudo, onUnreachable, trash, installPackages };
    return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined));
};
