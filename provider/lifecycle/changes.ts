import type { AnyPrimitive, Input } from "../../schema/primitive.ts";
import { GIVEN, hasUnknown, isRecord, type Properties, same, UNFINISHED, UNKNOWN, URN } from "./values.ts";

/** Which fields differ between a resource's outputs and its new inputs, by what that means. */
export interface FieldChanges {
    readonly replaced: readonly string[];
    /** Desired state that changes in place. */
    readonly inPlace: readonly string[];
    /** Known only to the provider: rewritten without any contact. */
    readonly clientOnly: readonly string[];
    /** Client fields that are not known yet, which is no change. */
    readonly unknownClient: readonly string[];
    /** Fields that a resource of an older release lacks, and that have the default now: no change. */
    readonly newDefault: readonly string[];
    /** The node did not get it ready the last time. */
    readonly unfinished: boolean;
}

export const changesBetween = ({ inputs }: AnyPrimitive, olds: Properties, news: Properties): FieldChanges => {
    const changes = {
        replaced: [] as string[],
        inPlace: [] as string[],
        clientOnly: [] as string[],
        unknownClient: [] as string[],
        newDefault: [] as string[],
        unfinished: olds[UNFINISHED] !== undefined,
    };
    for (const [field, input] of Object.entries(inputs)) {
        const change = changeOf(field, input, olds, news);
        if (change) changes[change].push(field);
    }
    if (olds[URN] !== news[URN]) changes.clientOnly.push(URN);
    return changes;
};

const changeOf = (
    field: string,
    input: Input,
    olds: Properties,
    news: Properties,
): Exclude<keyof FieldChanges, "unfinished"> | undefined => {
    const value = news[field];
    const { rule } = input.change;
    if (hasUnknown(value)) {
        if (rule === "client") return sameWhereKnown(settled(input, olds[field]), value) ? "unknownClient" : "clientOnly";
        return rule === "replace" ? "replaced" : "inPlace";
    }
    if (input.generated && value === undefined) return wasGiven(field, olds) ? "clientOnly" : undefined;
    if (same(settled(input, olds[field]), value)) {
        // The value stays, but from now on it is the program's.
        if (input.generated) return wasGiven(field, olds) ? undefined : "clientOnly";
        return olds[field] === undefined && value !== undefined ? "newDefault" : undefined;
    }
    if (rule === "client") return "clientOnly";
    return rule === "replace" ? "replaced" : "inPlace";
};

/** What is not known yet may turn out to be as it was; what is known and differs will not. */
const sameWhereKnown = (old: unknown, value: unknown): boolean => {
    if (value === UNKNOWN || !hasUnknown(value)) return value === UNKNOWN || same(old, value);
    if (!isRecord(old) || !isRecord(value)) return true;
    return [...new Set([...Object.keys(old), ...Object.keys(value)])].every((key) => sameWhereKnown(old[key], value[key]));
};

const wasGiven = (field: string, olds: Properties): boolean => Array.isArray(olds[GIVEN]) && olds[GIVEN].includes(field);

/** An old value as today's schema makes it, so that a default which came with a later release is no change. */
const settled = (input: Input, value: unknown): unknown => {
    try {
        const { success, data } = input.schema.safeParse(value);
        return success ? data : value;
    } catch {
        return value;
    }
};
