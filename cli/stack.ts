import { ZeroformError } from "../protocol/errors.ts";
import { parseNodeId, type TenantId } from "../protocol/ids.ts";
import { partsOf } from "../protocol/urn.ts";
import { type Reach, reach } from "../schema/on-node.ts";
import { pulumi } from "./pulumi.ts";

/** A node that a command is about. */
export interface NamedNode {
    readonly name: string;
    readonly reach: Reach;
    /** Ids of the resources that the selected stack has on it; undefined when asked by address. */
    readonly known?: ReadonlySet<string>;
    /** Those resources; undefined when asked by address. */
    readonly resources?: readonly StackResource[];
    /** Who the stack is on it; undefined when asked by address. */
    readonly tenant?: TenantId;
}

/** A resource in a stack's state. */
export interface StackResource {
    readonly urn: string;
    readonly name: string;
    /** `<machine>/<tenant>/<life>` */
    readonly id: string;
    /** `ZStor` ... */
    readonly kind: string;
    readonly outputs: Readonly<Record<string, unknown>>;
}

interface StateResource {
    readonly urn: string;
    readonly type: string;
    readonly id?: string;
    readonly outputs?: Readonly<Record<string, unknown>>;
}

/** The nodes of the selected stack, or of the one that is named. */
export const nodesOfStack = async (stack: string | undefined): Promise<readonly NamedNode[]> => {
    const resources = await exportStack(stack);
    const ours = resources.filter(({ type }) => type.includes("dynamic/zeroform:"));
    const nodes = ours.filter(({ type }) => type.endsWith(":Node"));
    if (nodes.length === 0) {
        throw new ZeroformError({
            code: "INVALID",
            message: "the stack has no Node",
            hint: "Run `pulumi up` first, or name a machine with --host.",
        });
    }
    const named = nodes.map(({ urn, id = "", outputs = {} }) => ({
        name: partsOf(urn).name,
        ...tenantIn(id),
        reach: reach.parse(
            Object.fromEntries(
                Object.keys(reach.shape).flatMap((field) => (outputs[field] == null ? [] : [[field, inClear(outputs[field])]])),
            ),
        ),
        resources: ours.flatMap((resource) => (resource.id?.startsWith(`${id}/`) ? [stackResource(resource, resource.id)] : [])),
    }));
    return named
        .map((node) => ({ ...node, known: new Set(node.resources.map((resource) => resource.id)) }))
        .toSorted((one, other) => one.name.localeCompare(other.name));
};

const stackResource = ({ urn, type, outputs = {} }: StateResource, id: string): StackResource => ({
    urn,
    name: partsOf(urn).name,
    id,
    kind: type.slice(type.lastIndexOf(":") + 1),
    outputs,
});

const tenantIn = (id: string): Pick<NamedNode, "tenant"> => {
    const tenant = parseNodeId(id)?.tenant;
    return tenant === undefined ? {} : { tenant };
};

/** Secrets are exported in clear because a Node may be reached with a private key; nothing of it is printed. */
const exportStack = async (stack: string | undefined): Promise<readonly StateResource[]> => {
    const stdout = await pulumi(["stack", "export", "--show-secrets"], stack, "the selected stack cannot be read");
    const { deployment } = JSON.parse(stdout) as { readonly deployment: { readonly resources?: readonly StateResource[] } };
    return deployment.resources ?? [];
};

/** What `stack export --show-secrets` gives for a secret, also within a value: its JSON as text beside a signature. */
const inClear = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(inClear);
    if (typeof value !== "object" || value === null) return value;
    if ("plaintext" in value && typeof value.plaintext === "string") return JSON.parse(value.plaintext) as unknown;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, inClear(each)]));
};
