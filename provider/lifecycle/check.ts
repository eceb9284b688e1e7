import { VERSION } from "../../protocol/version.ts";
import { type Kind, primitiveOf } from "../../schema/index.ts";
import type { Change, Failure, Input } from "../../schema/primitive.ts";
import { nearest } from "./nearest.ts";
import { hasUnknown, isRecord, type Properties, same, text, URN, withoutNulls } from "./values.ts";

export interface Checked {
    /** Complete and normalised; unknown values as they came. */
    readonly inputs: Properties;
    /** One a field. `property` is empty where the engine would print a value that may be secret. */
    readonly failures: readonly Failure[];
}

/** Inputs whose default is this release's, not the schema's. */
const OF_THIS_RELEASE: Partial<Record<Kind, Properties>> = { Node: { agentVersion: VERSION } };

/** Judges and completes what a program wrote. Pure, offline and total: it answers failures and never throws. */
export const check = (kind: Kind, olds: unknown, news: unknown): Checked => {
    const { inputs: declared, refine } = primitiveOf(kind);
    const written = { ...OF_THIS_RELEASE[kind], ...(withoutNulls(isRecord(news) ? news : {}) as Properties) };
    const before = isRecord(olds) ? olds : {};
    const failures: Failure[] = unknownKeys(kind, written);
    const inputs: Properties = text(written[URN]) === undefined ? {} : { [URN]: written[URN] };

    for (const [field, input] of Object.entries(declared)) {
        const { value, failure } = settle(field, input, Object.hasOwn(written, field) ? written[field] : undefined);
        if (failure) failures.push(failure);
        if (value !== undefined) inputs[field] = value;
    }
    if (failures.length === 0) failures.push(...shrinking(kind, declared, before, inputs));
    if (failures.length === 0 && refine) {
        const known = Object.fromEntries(Object.entries(inputs).filter(([, value]) => !hasUnknown(value)));
        failures.push(
            ...refine(known, (field) => inputs[field] !== undefined).map((failure) =>
                shown(failure.property, declared[failure.property], failure.reason),
            ),
        );
    }
    return { inputs, failures };
};

/** A value as the schema makes it, or what is wrong with it. */
const settle = (field: string, input: Input, value: unknown): { readonly value: unknown; readonly failure?: Failure } => {
    if (hasUnknown(value)) return { value: aroundUnknown(input, value) };
    try {
        const { success, data, error } = input.schema.safeParse(value);
        if (success) return { value: data };
        const [issue] = error.issues;
        const path = [field, ...(issue?.path ?? [])].map(String).join(".");
        if (value === undefined && input.visibility !== "program")
            return { value, failure: shown(field, input, `${path} is missing: make the resource with its class in zeroform`) };
        const reason = issue?.message ?? "not a value of this field";
        return { value, failure: shown(field, input, value === undefined ? `${path} is missing: ${reason}` : `${path}: ${reason}`) };
    } catch {
        return { value, failure: shown(field, input, `${field}: not a value of this field`) };
    }
};

/** What is known of a value that is unknown in part is normalised like any other, so that a plan shows no change that is none. */
const aroundUnknown = (input: Input, value: unknown): unknown => {
    if (!isRecord(value)) return value;
    try {
        const { success, data } = input.schema.safeParse(value);
        return success && hasUnknown(data) ? data : value;
    } catch {
        return value;
    }
};

/** The engine prints the value of a failing property in clear: hidden inputs hold keys of nodes, secret ones are secret. */
const shown = (property: string, input: Input | undefined, reason: string): Failure => ({
    property: input === undefined || input.secret || input.holdsSecrets || input.visibility === "hidden" ? "" : property,
    reason,
});

/** The value of a misspelt key may be a password: such a failure has no property. */
const unknownKeys = (kind: Kind, written: Properties): Failure[] => {
    const { inputs } = primitiveOf(kind);
    const writable = Object.entries(inputs).flatMap(([field, { visibility }]) => (visibility === "hidden" ? [] : [field]));
    return Object.keys(written)
        .filter((key) => !key.startsWith("__") && !Object.hasOwn(inputs, key))
        .map((key) => {
            const near = nearest(key, writable);
            const fix = near === undefined ? `its inputs are ${writable.join(", ")}` : `did you mean "${near}"?`;
            return { property: "", reason: `a ${kind} has no input "${key.slice(0, 64)}": ${fix}` };
        });
};

/** Growth is judged against the last known input; what is real, the node judges. A new life may have any size. */
const shrinking = (kind: Kind, declared: Readonly<Record<string, Input>>, olds: Properties, news: Properties): Failure[] => {
    const newLife = Object.entries(declared).some(
        ([field, input]) =>
            input.change.rule === "replace" && (hasUnknown(news[field]) || !same(settledOld(field, input, olds), news[field])),
    );
    if (newLife) return [];
    return Object.entries(declared).flatMap(([field, input]) => {
        const { change } = input;
        if (change.rule !== "grow" || olds[field] === undefined || hasUnknown(olds[field]) || hasUnknown(news[field])) return [];
        const old = settledOld(field, input, olds);
        if (!(amount(change, news[field]) < amount(change, old))) return [];
        const reason = `${field} only grows and is ${String(old)}: write at least ${String(old)}, or make another ${kind} and move the data`;
        return [shown(field, input, reason)];
    });
};

const settledOld = (field: string, input: Input, olds: Properties): unknown => settle(field, input, olds[field]).value;

/** NaN, which is smaller than nothing, for what an older release may have let through. */
const amount = (change: Extract<Change, { rule: "grow" }>, value: unknown): number => {
    try {
        return change.amount(value);
    } catch {
        return Number.NaN;
    }
};
