import type { z } from "zod";

/** What a change of an input means for the resource that has it, by rule. */
export interface Changes {
    update: { readonly rule: "update" };
    grow: { readonly rule: "grow"; readonly amount: (value: unknown) => number };
    replace: { readonly rule: "replace"; readonly because: string };
    client: { readonly rule: "client" };
}

export type Rule = keyof Changes;
export type Change = Changes[Rule];

/** An input: how it is validated, and what changing it means. A bare zod schema is not an input. */
export interface Input<S extends z.ZodType = z.ZodType, R extends Rule = Rule, V extends Visibility = Visibility> {
    readonly schema: S;
    readonly change: Changes[R];
    /** Never shown, logged or compared in clear. */
    readonly secret: boolean;
    /** Parts of it are secret: those that `secretParts` names, wherever they lie in it. */
    readonly holdsSecrets: boolean;
    /** The node makes a value when the program gives none, and keeps it. */
    readonly generated: boolean;
    /** What was generated goes over to the life that replaces this one: it opens what outlives both. */
    readonly keptOver: boolean;
    /** `program`: written by the program as it is. `reference`: another resource, which travels as its id. `hidden`: filled in by the SDK. */
    readonly visibility: V;
}

export type Visibility = "program" | "reference" | "hidden";

const input = <S extends z.ZodType, R extends Rule>(schema: S, change: Changes[R]): Input<S, R, "program"> => ({
    schema,
    change,
    secret: false,
    holdsSecrets: false,
    generated: false,
    keptOver: false,
    visibility: "program",
});

/** Changed in place. */
export const update = <S extends z.ZodType>(schema: S) => input<S, "update">(schema, { rule: "update" });

/** Changed in place, to larger amounts only. */
export const grow = <S extends z.ZodType>(schema: S, amount: (value: z.output<S>) => number) =>
    input<S, "grow">(schema, { rule: "grow", amount: (value) => amount(value as z.output<S>) });

/** A change makes a new life; `because` is shown to the user. */
export const replace = <S extends z.ZodType>(schema: S, because: string) => input<S, "replace">(schema, { rule: "replace", because });

/** Used by the provider only; never reaches the node as desired state, and a change rewrites the state without any contact. */
export const client = <S extends z.ZodType>(schema: S) => input<S, "client">(schema, { rule: "client" });

type AnyInput = Input;

export const secret = <I extends AnyInput>(of: I): I => ({ ...of, secret: true });
export const holdingSecrets = <I extends AnyInput>(of: I): I => ({ ...of, holdsSecrets: true });
export const generated = <I extends AnyInput>(of: I): I & { readonly generated: true } => ({ ...of, generated: true });
export const keptOver = <I extends Input & { readonly generated: true }>(of: I): I => ({ ...of, keptOver: true });
export const hidden = <S extends z.ZodType, R extends Rule>(of: Input<S, R>): Input<S, R, "hidden"> => ({ ...of, visibility: "hidden" });
export const reference = <S extends z.ZodType, R extends Rule>(of: Input<S, R>): Input<S, R, "reference"> => ({
    ...of,
    visibility: "reference",
});

/** What a resource shows once it is real. */
export interface Output<S extends z.ZodType = z.ZodType> {
    readonly schema: S;
    readonly secret: boolean;
    /** `node`: reported by the agent. `derived`: computed by the provider, which knows how the node is reached. `composed`: see `Composed`. */
    readonly source: "node" | "derived" | "composed";
    readonly composed?: Composed;
}

/** How an output is made of nothing but other inputs and outputs: by the class, so that no state has to hold it. */
export interface Composed {
    readonly of: readonly string[];
    /** Optional inputs may be undefined, everything else is there. */
    readonly by: (values: Readonly<Record<string, unknown>>) => unknown;
}

export const output = <S extends z.ZodType>(schema: S): Output<S> => ({ schema, secret: false, source: "node" });
export const derived = <S extends z.ZodType>(schema: S): Output<S> => ({ schema, secret: false, source: "derived" });
export const composedSecret = <S extends z.ZodType>(
    schema: S,
    of: readonly string[],
    by: (values: Readonly<Record<string, unknown>>) => z.output<S>,
): Output<S> => ({ schema, secret: true, source: "composed", composed: { of, by } });

/** An input that cannot be, in words that name the fix. */
export interface Failure {
    readonly property: string;
    readonly reason: string;
}

/** What `derive` is given: complete inputs, reported outputs, and the address the node is reached at. */
export interface Derivation {
    readonly inputs: Readonly<Record<string, unknown>>;
    readonly reported: Readonly<Record<string, unknown>>;
    readonly address: string;
}

/** The one declaration of a primitive, from which types, check, diff, node-side validation and docs are made. */
export interface Primitive<
    I extends Record<string, Input> = Record<string, Input>,
    O extends Record<string, Output> = Record<string, Output>,
> {
    readonly kind: string;
    readonly summary: string;
    /** Losing a life of it loses data: a replacement must be asked for with `replaceData`, and removal goes through the trash. */
    readonly bearsData: boolean;
    readonly inputs: I;
    readonly outputs: O;
    /** What it holds that no second life can hold beside it, given its inputs; then a replacement deletes first. */
    readonly exclusive?: (inputs: Readonly<Record<string, unknown>>) => boolean;
    /** Rules over several inputs; values may still be unknown: then they are left out, and `has` tells that there will be one. */
    readonly refine?: (inputs: Readonly<Record<string, unknown>>, has: (field: string) => boolean) => readonly Failure[];
    readonly derive?: (from: Derivation) => Record<string, unknown>;
}

export const primitive = <I extends Record<string, Input>, O extends Record<string, Output>>(p: Primitive<I, O>): Primitive<I, O> => p;

/** What is secret of what an engine stores: inputs, and outputs that are not composed. */
export const storedSecrets = ({ inputs, outputs }: Pick<Primitive, "inputs" | "outputs">): string[] =>
    Object.entries({ ...inputs, ...outputs }).flatMap(([name, of]) => (of.secret && !("composed" in of) ? [name] : []));

/** Any primitive, where the kind does not matter. */
export type AnyPrimitive = Primitive;

type KeysWhere<I extends Record<string, Input>, V extends Visibility> = {
    [K in keyof I]: I[K] extends Input<z.ZodType, Rule, V> ? K : never;
}[keyof I];
type OptionalKeys<I extends Record<string, Input>> = {
    [K in keyof I]: undefined extends z.input<I[K]["schema"]> ? K : never;
}[keyof I];
type DesiredKeys<I extends Record<string, Input>> = {
    [K in keyof I]: I[K] extends Input<z.ZodType, "client", Visibility> ? never : K;
}[keyof I];

/** What a program writes: defaults may be left out, references and hidden inputs are filled in by the SDK class. */
export type Written<P extends { readonly inputs: Record<string, Input> }> = {
    [K in Exclude<KeysWhere<P["inputs"], "program">, OptionalKeys<P["inputs"]>>]: z.input<P["inputs"][K]["schema"]>;
} & {
    [K in Extract<KeysWhere<P["inputs"], "program">, OptionalKeys<P["inputs"]>>]?: z.input<P["inputs"][K]["schema"]>;
};

/** What `check` makes of it: complete and normalised. */
export type Checked<P extends { readonly inputs: Record<string, Input> }> = {
    [K in keyof P["inputs"]]: z.output<P["inputs"][K]["schema"]>;
};

/** The part of it that is desired state on the node: everything but client inputs. */
export type Spec<P extends { readonly inputs: Record<string, Input> }> = {
    [K in DesiredKeys<P["inputs"]>]: z.output<P["inputs"][K]["schema"]>;
};

export type Outputs<P extends { readonly outputs: Record<string, Output> }> = {
    [K in keyof P["outputs"]]: z.output<P["outputs"][K]["schema"]>;
};

/** What the agent reports: the outputs that are not derived. */
export type Reported<P extends { readonly outputs: Record<string, Output> }> = Partial<Outputs<P>>;
