import * as pulumi from "@pulumi/pulumi";
import { loaderText, typeToken } from "../protocol/dynamic-type.ts";
import { defaultsOf } from "../schema/defaults.ts";
import { type Composed, storedSecrets } from "../schema/primitive.ts";
import { hasSecretParts, markSecretParts } from "../schema/secret-parts.ts";
import type { Declaration, Shown } from "./args.ts";

/** A class of resources, made from the declaration of a primitive. */
export interface ResourceClass<P extends Declaration> {
    new (name: string, inputs: pulumi.Inputs, options?: pulumi.CustomResourceOptions): pulumi.CustomResource & Shown<P>;
    /** Names the type to policy packs: `validateResourceOfType(ZMount, ...)`. */
    readonly __pulumiType: string;
}

/** The base that a class adds its references to. */
export const resourceClass = <P extends Declaration>(primitive: P): ResourceClass<P> => {
    const type = typeToken(primitive.kind);
    class Resource extends pulumi.CustomResource {
        static readonly __pulumiType = type;

        constructor(name: string, inputs: pulumi.Inputs, options: pulumi.CustomResourceOptions = {}) {
            const hidden = { __provider: loaderText(primitive.kind), __urn: urnOf(name, type, options) };
            super(
                type,
                name,
                { ...propertiesOf(primitive), ...secretsMarked(primitive, inputs), ...hidden },
                optionsFor(primitive, inputs, options),
            );
            for (const [field, value] of Object.entries(defaultsOf(primitive)))
                if (inputs[field] === undefined) Object.assign(this, { [field]: orDefault(this, field, value) });
            for (const [name, { composed, secret }] of Object.entries(primitive.outputs))
                if (composed) {
                    const make = () => composedOf(this, primitive, inputs, composed);
                    Object.defineProperty(this, name, later(secret ? () => pulumi.secret(make()) : make));
                }
        }
    }
    return Resource as unknown as ResourceClass<P>;
};

/** Whether something is a resource of a kind, from whichever copy of this package. */
export const isOfKind = (kind: string, value: unknown): boolean =>
    pulumi.CustomResource.isInstance(value) && "__pulumiType" in value && value.__pulumiType === typeToken(kind);

/**
 * A default that nobody wrote is in no state, and Pulumi calls what a state lacks unknown in a preview. It is known: whoever writes another
 * value, a transform too, has that in the state.
 */
const orDefault = (resource: pulumi.CustomResource, field: string, value: unknown): pulumi.Output<unknown> => {
    const answered: unknown = Reflect.get(resource, field);
    if (!pulumi.Output.isInstance(answered)) return resource.urn.apply(() => value);
    // Whether it is known is no part of Pulumi's declarations, though of all its releases: without it, it is as unknown as before.
    const isKnown: unknown = Reflect.get(answered, "isKnown");
    if (!(isKnown instanceof Promise)) return answered.apply((known) => known ?? value);
    return resource.urn.apply(async () => ((await isKnown) ? answered.apply((known) => known ?? value) : value));
};

/** Made when somebody asks for it, as a property like any other. */
const later = (make: () => unknown): PropertyDescriptor => {
    let made: unknown;
    return { enumerable: true, get: () => (made ??= make()) };
};

/** An output of what the state has, which is known where that is. */
const composedOf = (
    resource: pulumi.CustomResource,
    { inputs }: Declaration,
    given: pulumi.Inputs,
    { of, by }: Composed,
): pulumi.Output<unknown> => {
    const isOptional = (field: string) => inputs[field] !== undefined && !inputs[field].generated;
    // What nobody wrote is in no state either, and no reason to call the whole unknown.
    const part = (field: string): unknown =>
        isOptional(field) && given[field] === undefined ? orDefault(resource, field, undefined) : Reflect.get(resource, field);
    return pulumi.all(Object.fromEntries(of.map((field) => [field, part(field)]))).apply((answered) => {
        // An engine may answer null for what is not there.
        const values = Object.fromEntries(of.map((field) => [field, answered[field] ?? undefined]));
        return of.every((field) => isOptional(field) || values[field] !== undefined) ? by(values) : undefined;
    });
};

/** Every property that is stored has to be named for the program to get an output for it. */
const propertiesOf = ({ inputs, outputs }: Declaration): pulumi.Inputs => {
    const answered = Object.entries(outputs).flatMap(([name, { composed }]) => (composed ? [] : [name]));
    return Object.fromEntries([...Object.keys(inputs), ...answered].map((property) => [property, undefined]));
};

const secretsMarked = (primitive: Declaration, inputs: pulumi.Inputs): pulumi.Inputs =>
    Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, marked(primitive.inputs[name], value)]));

const marked = (input: Declaration["inputs"][string] | undefined, value: unknown): unknown => {
    if (value === undefined) return value;
    if (input?.secret) return pulumi.secret(value);
    return input?.holdsSecrets ? withSecretParts(value) : value;
};

/** A value that is not known yet is one value to the engine, and secret as a whole where parts of it are. */
export const withSecretParts = (value: unknown): unknown => {
    if (isLater(value)) return pulumi.all([value]).apply(([known]) => markSecretParts(known, pulumi.secret));
    // Nobody can look into these yet.
    if (Array.isArray(value) && value.some(isLater)) return pulumi.secret(value);
    return markSecretParts(value, pulumi.secret);
};

/** What is not known yet may turn out to have some. */
export const mayHaveSecretParts = (value: unknown): boolean =>
    isLater(value) || hasSecretParts(value) || (Array.isArray(value) && value.some(isLater));

const isLater = (value: unknown): value is pulumi.Output<unknown> | Promise<unknown> =>
    pulumi.Output.isInstance(value) || value instanceof Promise;

const optionsFor = (primitive: Declaration, inputs: pulumi.Inputs, options: pulumi.CustomResourceOptions): pulumi.CustomResourceOptions => {
    // Set here too since a replacement that was asked for by hand never asks `diff`.
    const order = primitive.exclusive?.(inputs) ? { deleteBeforeReplace: true } : {};
    return pulumi.mergeOptions({ ...order, additionalSecretOutputs: storedSecrets(primitive) }, options);
};

/** The URN of a resource, without the dependencies of an output: a parent that is a component depends on this very resource. */
export const urnOf = (name: string, type: string, { parent }: pulumi.CustomResourceOptions): Promise<string> =>
    new Promise((resolve) => {
        pulumi.createUrn(name, type, parent).apply(resolve);
    });
