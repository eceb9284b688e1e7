import type { Kind } from "../../schema/index.ts";
import { primitiveOf } from "../../schema/index.ts";
import type { AnyPrimitive, Input } from "../../schema/primitive.ts";
import { GIVEN, isRecord, type Properties, plain, text, UNFINISHED, URN } from "./values.ts";

/** What the agent answers about a resource, as far as outputs are made of it. */
export interface Reported {
    readonly spec: Properties;
    readonly generatedSecrets?: Readonly<Record<string, string>>;
    readonly outputs: Properties;
    readonly reasons: readonly string[];
    readonly state: "ready" | "unfinished";
}

/** The part of checked inputs that is desired state on the node; what was generated once is kept. */
export const specOf = ({ inputs }: AnyPrimitive, news: Properties, olds: Properties = {}): Properties => {
    const entries = Object.entries(inputs)
        .filter(([, { change }]) => change.rule !== "client")
        .map(([field, { generated }]) => [field, news[field] ?? (generated ? olds[field] : undefined)] as const);
    return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
};

/** Inputs as they are after an operation: as written, generated ones filled in, and as they are real where the agent says so. */
export const inputsAfter = ({ inputs }: AnyPrimitive, news: Properties, olds: Properties, reported?: Reported): Properties => {
    const after: Properties = {};
    for (const [field, input] of Object.entries(inputs)) {
        const kept = input.generated ? olds[field] : undefined;
        const value = real(field, input, reported) ?? news[field] ?? reported?.generatedSecrets?.[field] ?? kept;
        if (value !== undefined) after[field] = value;
    }
    return after;
};

/** References and hidden inputs are names of things, not things that could have become different. */
const real = (field: string, input: Input, reported: Reported | undefined): unknown => {
    const value = reported?.spec[field];
    if (value === undefined || value === null || input.change.rule === "client" || input.secret || input.visibility !== "program")
        return undefined;
    const { success, data } = input.schema.safeParse(value);
    return success ? data : value;
};

export interface Composition {
    readonly kind: Kind;
    readonly inputs: Properties;
    readonly given: readonly string[];
    readonly urn: string;
    /** Outputs of source `node`. */
    readonly nodeOutputs: Properties;
    /** Address that the node is reached at. */
    readonly address: string;
    readonly reasons: readonly string[];
}

/** Complete outputs: every input mirrored, what the node reported, what is computed of both, and the hidden lists. */
export const compose = ({ kind, inputs, given, urn, nodeOutputs, address, reasons }: Composition): Properties => {
    const primitive = primitiveOf(kind);
    const ofNode = Object.entries(primitive.outputs).filter(([, { source }]) => source === "node");
    const reported = Object.fromEntries(ofNode.flatMap(([name]) => (nodeOutputs[name] === undefined ? [] : [[name, nodeOutputs[name]]])));
    const complete =
        ofNode.every(([name, { schema }]) => reported[name] !== undefined || schema.safeParse(undefined).success) &&
        Object.entries(primitive.inputs).every(([field, { generated }]) => !generated || inputs[field] !== undefined);
    const real = { ...inputs, ...reported, ...(complete && primitive.derive?.({ inputs, reported, address })) };
    return plain({
        ...real,
        ...(complete && composedOf(primitive, real)),
        ...(reasons.length > 0 && { [UNFINISHED]: reasons.join("; ") }),
        [GIVEN]: given.filter((field) => primitive.inputs[field]?.generated),
        [URN]: urn,
    });
};

/** What classes show without it being stored; states of releases that stored it hold it on, and it is to be true there. */
const composedOf = ({ outputs }: AnyPrimitive, real: Properties): Properties =>
    Object.fromEntries(Object.entries(outputs).flatMap(([name, { composed }]) => (composed ? [[name, composed.by(real)]] : [])));

/** Which inputs the program gave, of what `check` made of them. */
export const givenIn = (kind: Kind, news: Properties): string[] =>
    Object.keys(primitiveOf(kind).inputs).filter((field) => news[field] !== undefined);

/** The same from outputs, where only what the node could have made needs a list; what `.get()` passes has none, and is inputs. */
export const givenBefore = (kind: Kind, outputs: Properties): string[] => {
    const { inputs } = primitiveOf(kind);
    const list = outputs[GIVEN];
    return givenIn(kind, outputs).filter((field) => !Array.isArray(list) || !inputs[field]?.generated || list.includes(field));
};

/** The inputs that `read` answers: exactly those that the program gave, as they are now, and the mark of what is not ready. */
export const inputsRead = (outputs: Properties, given: readonly string[]): Properties => ({
    ...Object.fromEntries(given.flatMap((field) => (outputs[field] === undefined ? [] : [[field, outputs[field]]]))),
    ...(text(outputs[URN]) !== undefined && { [URN]: outputs[URN] }),
    ...(outputs[UNFINISHED] !== undefined && { [UNFINISHED]: outputs[UNFINISHED] }),
});

/** Outputs of source `node` that were known before. */
export const nodeOutputsOf = (kind: Kind, olds: Properties): Properties =>
    Object.fromEntries(
        Object.entries(primitiveOf(kind).outputs)
            .filter(([name, { source }]) => source === "node" && olds[name] !== undefined)
            .map(([name]) => [name, olds[name]]),
    );

type Timed = "create" | "update" | "delete";

/** How long the user says that an operation may take. */
export const givenTimeoutOf = ({ timeouts }: Properties, operation: Timed): string | undefined =>
    isRecord(timeouts) ? text(timeouts[operation]) : undefined;

/** How long an operation may take. */
export const timeoutOf = (properties: Properties, operation: Timed): string => givenTimeoutOf(properties, operation) ?? "5m";
