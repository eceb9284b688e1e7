import { isDeepStrictEqual } from "node:util";
import { primitiveOf } from "../../schema/index.ts";
import type { ResourceKind, Values } from "../store/rows.ts";

/** What a resource is that was made: `size 1GiB, port 9900`. No secret, and no references, which are ids. */
export const describeSpec = (kind: ResourceKind, spec: Values): string =>
    shown(kind)
        .filter(([name, { secret }]) => !secret && spec[name] !== undefined)
        .map(([name]) => `${name} ${textOf(spec[name])}`)
        .join(", ");

/** What was changed of it: `size 1GiB -> 2GiB, password changed`. */
export const describeChange = (kind: ResourceKind, before: Values, after: Values): string =>
    shown(kind)
        .filter(([name]) => !isDeepStrictEqual(before[name], after[name]))
        .map(([name, { secret }]) => (secret ? `${name} changed` : `${name} ${textOf(before[name])} -> ${textOf(after[name])}`))
        .join(", ");

const shown = (kind: ResourceKind) =>
    Object.entries(primitiveOf(kind).inputs).filter(([, { change, visibility }]) => change.rule !== "client" && visibility === "program");

const textOf = (value: unknown): string => {
    if (value === undefined) return "not set";
    return typeof value === "string" ? value : JSON.stringify(value);
};
