import { defaultsOf } from "../../schema/defaults.ts";
import { type Kind, primitiveOf } from "../../schema/index.ts";
import { type Properties, same } from "./values.ts";

/**
 * What the engine stores of properties: all but defaults that nobody wrote, and what the classes compose of the rest. An engine that keeps
 * its state in a file writes all of it at every step, and pays for each byte: ten defaults in inputs and outputs of 300 Zdbs were 3 s of its
 * CPU in `up`, and as much in `destroy`; a secret url was 1.9 and 0.7.
 * What is stored already stays in its form (`like`), so that a plan shows no change that is none.
 */
export const stored = (kind: Kind, properties: Properties, like: Properties): Properties => {
    const primitive = primitiveOf(kind);
    const defaults = defaultsOf(primitive);
    const isImplied = (field: string, value: unknown) =>
        isLeftOut(like[field]) &&
        (primitive.outputs[field]?.composed !== undefined || (Object.hasOwn(defaults, field) && same(value, defaults[field])));
    return Object.fromEntries(Object.entries(properties).filter(([field, value]) => !isImplied(field, value)));
};

/** The same with every default in it, as everything else here expects it. */
export const completed = (kind: Kind, properties: Properties): Properties => {
    const missing = Object.entries(defaultsOf(primitiveOf(kind))).filter(([field]) => isLeftOut(properties[field]));
    return { ...properties, ...Object.fromEntries(missing) };
};

const isLeftOut = (value: unknown): boolean => value === undefined || value === null;
