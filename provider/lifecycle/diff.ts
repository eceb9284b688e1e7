import { ZeroformError } from "../../protocol/errors.ts";
import { type Kind, primitiveOf } from "../../schema/index.ts";
import type { AnyPrimitive } from "../../schema/primitive.ts";
import { changesBetween } from "./changes.ts";
import { hasUnknown, nameOf, type Properties, text, URN } from "./values.ts";

export interface Difference {
    readonly replaces: readonly string[];
    readonly deleteBeforeReplace: boolean;
    /** Left out, the engine compares the inputs itself and shows each field; false: nothing that is known has changed. */
    readonly changes?: false;
}

/**
 * What new inputs mean for a resource with these outputs. Pure. Throws only where data would be lost without the program
 * having asked for it: refresh calls it too, with new outputs and old inputs.
 */
export const diff = (kind: Kind, olds: Properties, news: Properties): Difference => {
    const primitive = primitiveOf(kind);
    const { replaced, inPlace, clientOnly, unknownClient, newDefault, unfinished } = changesBetween(primitive, olds, news);
    if (replaced.length > 0) {
        refuseLossOfData(primitive, replaced, olds, news);
        return { replaces: replaced, deleteBeforeReplace: primitive.exclusive?.(news) ?? false };
    }
    // What the engine would show as a change, comparing the inputs itself, and is none.
    const isOnlySeeming = unknownClient.length + newDefault.length > 0;
    const unchanged = isOnlySeeming && inPlace.length === 0 && clientOnly.length === 0 && !unfinished;
    return { replaces: [], deleteBeforeReplace: false, ...(unchanged && { changes: false as const }) };
};

const refuseLossOfData = (primitive: AnyPrimitive, replaced: readonly string[], olds: Properties, news: Properties) => {
    if (!primitive.bearsData || news.replaceData === true || isOnAnotherMachine(replaced, olds, news)) return;
    const reasons = replaced.map((field) => `${field} (${becauseOf(primitive, field)})`).join(" and ");
    const backs = replaced.map((field) => putBack(primitive, field, olds, news)).join(" and ");
    throw new ZeroformError({
        code: "CONFLICT",
        action: "diff",
        kind: primitive.kind,
        name: nameOf(text(news[URN]) ?? text(olds[URN]) ?? ""),
        message: `a change of ${reasons} makes a new ${primitive.kind} without the data of the old one`,
        hint: `Set replaceData: true if that is meant, or ${backs}.`,
    });
};

/** The same Node says that its machine is another one: the data are gone with the old one. A move to another Node is no such thing. */
const isOnAnotherMachine = (replaced: readonly string[], olds: Properties, news: Properties): boolean =>
    replaced.includes("nodeMachine") && olds.nodeUrn === news.nodeUrn;

const becauseOf = ({ inputs }: AnyPrimitive, field: string): string => {
    const change = inputs[field]?.change;
    return change?.rule === "replace" ? change.because : "it cannot be changed in place";
};

/** Ids of other resources say nothing to a reader, and a value that is not known yet may turn out to be the old one. */
const putBack = ({ inputs }: AnyPrimitive, field: string, olds: Properties, news: Properties): string => {
    if (inputs[field]?.visibility === "reference")
        return hasUnknown(news[field])
            ? `keep the resource given as ${field}, which is made anew here`
            : `put ${field} back to the resource it was`;
    const old = olds[field];
    if (old === undefined) return `leave ${field} out again`;
    return inputs[field]?.secret ? `put ${field} back to what it was` : `put ${field} back to ${JSON.stringify(old)}`;
};
