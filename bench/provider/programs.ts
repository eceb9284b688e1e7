import type { Machine } from "../../test/e2e/hosts.ts";
import type { Program } from "../../test/e2e/stack.ts";

export interface Shape {
    readonly machines: readonly Machine[];
    /** Nodes in all; more than one on a machine are tenants of it. */
    readonly nodes: number;
    /** Resources beside the nodes, dealt out among them in turn. */
    readonly resources: number;
    /** Text of a provider that takes the place of ours. */
    readonly provider?: string;
}

const doing = (outs: string) =>
    `exports.handler=()=>({create:async(inputs)=>({id:String(Math.random()),outs:${outs}}),delete:async()=>{}})`;
/** A dynamic provider that does nothing. Its text is as short as ours: one that Pulumi serialises costs more, and the comparison would flatter. */
export const DO_NOTHING = doing("inputs");
/** The same for our own classes, which take an output of a Node into what stands on it: in a preview an output that was never made is unknown. */
export const NOTHING_OF_OURS = doing("{hopKeys:[],...inputs}");

/** Nodes, and Zdbs on them in turn. */
export const zdbs: Program<Shape> = ({ pulumi, zeroform }, { machines, nodes, resources, provider }) => {
    // In this process, unlike a transform, which would ask the engine about every resource.
    if (provider !== undefined)
        pulumi.runtime.registerStackTransformation(({ props, opts }) => ({ props: { ...props, __provider: provider }, opts }));
    const made = Array.from(
        { length: nodes },
        (_, index) => new zeroform.Node(`node-${index}`, { host: "", ...machines[index % machines.length] }),
    );
    for (let index = 0; index < resources; index++)
        new zeroform.Zdb(`store-${index}`, { node: made[index % nodes] as (typeof made)[number], size: "4MiB" });
    return undefined;
};

/** The least that Pulumi can be asked for in as many resources with the same dependencies: two inputs each, and no outputs. */
export const least: Program<Shape> = ({ pulumi }, { nodes, resources, provider }) => {
    class Least extends pulumi.CustomResource {
        constructor(kind: string, name: string, inputs: import("@pulumi/pulumi").Inputs) {
            super(`pulumi-nodejs:dynamic/zeroform:${kind}`, name, { ...inputs, __provider: provider });
        }
    }
    const made = Array.from({ length: nodes }, (_, index) => new Least("LeastNode", `node-${index}`, { host: "127.0.0.1" }));
    for (let index = 0; index < resources; index++) new Least("Least", `store-${index}`, { node: made[index % nodes]?.id, size: "4MiB" });
    return undefined;
};

/** ZMounts on one node. */
export const zmounts: Program<Shape & { readonly size: string }> = ({ pulumi, zeroform }, { machines, resources, size, provider }) => {
    if (provider !== undefined)
        pulumi.runtime.registerStackTransformation(({ props, opts }) => ({ props: { ...props, __provider: provider }, opts }));
    const node = new zeroform.Node("node-0", { host: "", ...machines[0] });
    for (let index = 0; index < resources; index++) new zeroform.ZMount(`mount-${index}`, { node, size });
    return undefined;
};
