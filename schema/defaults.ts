import type { AnyPrimitive } from "./primitive.ts";

const known = new WeakMap<AnyPrimitive["inputs"], Readonly<Record<string, unknown>>>();

/** What inputs are that nobody wrote; those without a default are left out. They are part of what is released: one that changed would change resources silently. */
export const defaultsOf = ({ inputs }: Pick<AnyPrimitive, "inputs">): Readonly<Record<string, unknown>> => {
    const found = known.get(inputs);
    if (found) return found;
    const defaults = Object.fromEntries(
        Object.entries(inputs).flatMap(([field, { schema }]) => {
            const { success, data } = schema.safeParse(undefined);
            return success && data !== undefined ? [[field, data]] : [];
        }),
    );
    known.set(inputs, defaults);
    return defaults;
};
