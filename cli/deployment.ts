import { loaderText, typeToken } from "../protocol/dynamic-type.ts";
import { SECRET, SIGNATURE, seal } from "../provider/dynamic/seal.ts";
import type { Adopted } from "../provider/lifecycle/adoption.ts";
import { isRecord, UNKNOWN } from "../provider/lifecycle/values.ts";
import { primitiveOf } from "../schema/index.ts";
import { storedSecrets } from "../schema/primitive.ts";
import type { PlannedResource } from "./program-plan.ts";

/** What `pulumi stack export` gives and `pulumi stack import` takes. */
export interface Deployment {
    readonly version: 3;
    readonly deployment: Readonly<Record<string, unknown>> & { readonly resources: readonly StateResource[] };
}

export type StateResource = Readonly<Record<string, unknown>> & { readonly urn: string; readonly type: string };

export interface Parts {
    readonly stack: string;
    readonly project: string;
    readonly planned: readonly PlannedResource[];
    readonly adopted: readonly Adopted[];
    /** The deployment of the empty stack: whose secrets provider encrypts what is in clear here. Left out when there is none yet. */
    readonly empty?: Readonly<Record<string, unknown>> | undefined;
    /** Ids for the providers, which are Pulumi's own. */
    readonly mintId: () => string;
}

/** Of what the preview says of a resource, that which is no part of a state. */
const NOT_STATE: readonly string[] = ["sourcePosition", "stackTrace", "id", "inputs", "outputs"];

/** A stack's deployment made of what its program plans and what was found on the machines. */
export const deploymentOf = (parts: Parts): Deployment => {
    const { planned, adopted, empty } = parts;
    const root = rootOf(parts);
    const provider = defaultProviderOf(parts);
    const providers = new Map(planned.filter(isProvider).map(({ urn }) => [urn, parts.mintId()]));
    providers.set(provider.urn, provider.id);
    const found = new Map(adopted.map((each) => [each.urn, each]));

    const fromPlan = planned.flatMap((plan): readonly StateResource[] => {
        const { urn, custom } = plan;
        if (urn === root.urn) return [];
        if (isProvider(plan)) return [{ ...kept(plan), inputs: plan.inputs, outputs: plan.inputs, id: providers.get(urn) }];
        if (!custom) return [{ ...kept(plan), ...(plan.inputs && { inputs: plan.inputs }) }];
        const own = found.get(urn);
        return own ? [{ ...kept(plan), ...stateOf(own), provider: providerOf(plan, providers) ?? referenceTo(provider) }] : [];
    });
    const isPlanned = new Set(planned.map(({ urn }) => urn));
    const beyond = adopted
        .filter(({ urn }) => !isPlanned.has(urn))
        .map((own) => ({ ...beyondPlan(own), parent: root.urn, ...stateOf(own), provider: referenceTo(provider) }));
    const resources = [root, provider, ...fromPlan, ...beyond];
    const there = new Set(resources.map(({ urn }) => urn));
    return { version: 3, deployment: { ...empty, resources: resources.map((resource) => without(resource, there, root.urn)) } };
};

const rootOf = ({ planned, stack, project }: Parts): StateResource => {
    const type = "pulumi:pulumi:Stack";
    const found = planned.find((plan) => plan.type === type);
    return found ? kept(found) : { urn: `urn:pulumi:${stack}::${project}::${type}::${project}-${stack}`, custom: false, type };
};

/** The provider of all dynamic resources. */
export const DEFAULT_PROVIDER = "pulumi:providers:pulumi-nodejs";

/** Pulumi makes it by itself for every program, and does not show it. */
const defaultProviderOf = ({ stack, project, mintId }: Parts): StateResource & { readonly id: string } => {
    const urn = `urn:pulumi:${stack}::${project}::${DEFAULT_PROVIDER}::default`;
    return { urn, custom: true, id: mintId(), type: DEFAULT_PROVIDER, inputs: {}, outputs: {} };
};

const isProvider = ({ type }: PlannedResource): boolean => type.startsWith("pulumi:providers:");

const kept = (plan: PlannedResource): StateResource => ({
    ...Object.fromEntries(Object.entries(plan).filter(([key]) => !NOT_STATE.includes(key))),
    urn: plan.urn,
    type: plan.type,
});

const referenceTo = ({ urn, id }: { readonly urn: string; readonly id: string }): string => `${urn}::${id}`;

/** A reference is the URN and the id of a provider; the id of one that is yet to be made is unknown. */
const providerOf = ({ provider }: PlannedResource, ids: ReadonlyMap<string, string>): string | undefined => {
    if (typeof provider !== "string" || !provider.endsWith(`::${UNKNOWN}`)) return undefined;
    const urn = provider.slice(0, -`::${UNKNOWN}`.length);
    const id = ids.get(urn);
    return id === undefined ? undefined : `${urn}::${id}`;
};

const stateOf = ({ kind, id, inputs, outputs }: Adopted) => {
    const hidden = { __provider: loaderText(kind) };
    return {
        custom: true,
        id,
        inputs: { ...inClear(seal(kind, inputs)), ...hidden },
        outputs: { ...inClear(seal(kind, outputs)), ...hidden },
    };
};

/** What a program would say of it, as far as that can be told from the resource itself. */
const beyondPlan = ({ kind, urn, references }: Adopted): StateResource => {
    const node = references.node === undefined ? {} : { connection: [references.node], nodeUrn: [references.node] };
    const byField = Object.fromEntries(Object.entries(references).map(([field, used]) => [field, [used]]));
    const secrets = storedSecrets(primitiveOf(kind));
    return {
        urn,
        type: typeToken(kind),
        dependencies: [...new Set(Object.values(references))],
        propertyDependencies: { ...byField, ...node },
        ...(secrets.length > 0 && { additionalSecretOutputs: secrets }),
    };
};

/** A secret as `stack export --show-secrets` gives it: its JSON as text; `stack import` encrypts it with the stack's own key. */
const inClear = (value: Readonly<Record<string, unknown>>): Record<string, unknown> =>
    Object.fromEntries(Object.entries(value).map(([name, each]) => [name, secretInClear(each)]));

const secretInClear = (value: unknown): unknown => {
    if (!isRecord(value)) return value;
    if (value[SIGNATURE] === SECRET) return { [SIGNATURE]: SECRET, plaintext: JSON.stringify(value.value) };
    return inClear(value);
};

/** References to what is lost would make the state invalid. */
const without = (resource: StateResource, there: ReadonlySet<string>, root: string): StateResource => {
    const only = (urns: unknown) => (Array.isArray(urns) ? urns.filter((urn) => there.has(String(urn))) : urns);
    const { parent, dependencies, propertyDependencies, deletedWith, ...rest } = resource;
    return {
        ...rest,
        urn: resource.urn,
        type: resource.type,
        ...(parent !== undefined && { parent: there.has(String(parent)) ? parent : root }),
        ...(dependencies !== undefined && { dependencies: only(dependencies) }),
        ...(isRecord(propertyDependencies) && {
            propertyDependencies: Object.fromEntries(Object.entries(propertyDependencies).map(([name, urns]) => [name, only(urns)])),
        }),
        ...(there.has(String(deletedWith)) && { deletedWith }),
    };
};
