import * as pulumi from "@pulumi/pulumi";
import { typeToken } from "../protocol/dynamic-type.ts";
import { node } from "../schema/node.ts";
import type { Args } from "./args.ts";
import { argsOf, type Place, type Placement } from "./placement.ts";
import { isOfKind, mayHaveSecretParts, type ResourceClass, resourceClass, urnOf, withSecretParts } from "./resource.ts";

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
        const given = withHopsListed(argsOf(`Node "${name}"`, args));
        // An output is one value, and this one has the key in it.
        const mayHoldKey = given.privateKey !== undefined || mayHaveSecretParts(given.via);
        const secrets = mayHoldKey ? ["connection"] : [];
        super(name, { ...given }, pulumi.mergeOptions({ additionalSecretOutputs: secrets }, options));
        this.placement = {
            node: this.id,
            nodeMachine: given.machine,
            connection: connectionOf(given, this),
            nodeUrn: urnOf(name, typeToken("Node"), options),
        };
    }

    static isInstance(value: unknown): value is Node {
        return isOfKind("Node", value);
    }
}

/** One hop is a list of one, as `check` makes it: where shapes differ, the engine does not find the secrets again. */
const withHopsListed = (args: NodeArgs): NodeArgs => {
    const { via } = args;
    const isOne = typeof via === "object" && !Array.isArray(via) && !pulumi.Output.isInstance(via) && !(via instanceof Promise);
    return isOne ? { ...args, via: [via] } : args;
};

/** How the node is reached: as the program says, with the host keys that were pinned. */
const connectionOf = (args: NodeArgs, { hostKey, hopKeys: pinned }: Node): pulumi.Inputs => {
    // Most ways have no jump host, and every resource's state has this in it.
    const hopKeys = pinned.apply((keys) => (keys?.length ? keys : undefined));
    const { host, port, user, identityFile, sudo, onUnreachable, trash, installPackages } = args;
    const privateKey = args.privateKey === undefined ? undefined : pulumi.secret(args.privateKey);
    const passphrase = args.passphrase === undefined ? undefined : pulumi.secret(args.passphrase);
    const via = args.via === undefined ? undefined : withSecretParts(args.via);
    const parts = {
        host,
        port,
        user,
        hostKey,
        identityFile,
        privateKey,
        passphrase,
        via,
        hopKeys,
        sudo,
        onUnreachable,
        trash,
        installPackages,
    };
    return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined));
};
