import { type Kind, primitiveOf } from "../../schema/index.ts";
import { hasSecretParts, markSecretParts } from "../../schema/secret-parts.ts";
import type { Properties } from "../lifecycle/values.ts";

/** How a secret travels to the engine in what a provider answers: the two numbers are Pulumi's. */
export const SIGNATURE = "4dabf18193072939515e22adb298388d";
export const SECRET = "1b47061264138c4ac30d75fd1eb44270";

/** Properties with their secrets marked, so that the engine stores them encrypted and shows none of them. */
export const seal = (kind: Kind, properties: Properties): Properties => {
    const { inputs, outputs } = primitiveOf(kind);
    return Object.fromEntries(
        Object.entries(properties).map(([name, value]) => {
            if (inputs[name]?.secret || outputs[name]?.secret) return [name, secret(value)];
            if (!hasSecretParts(value)) return [name, value];
            // The engine compares shapes: an input is secret where the program made it so, an output is one value.
            return [name, outputs[name] ? secret(value) : markSecretParts(value, secret)];
        }),
    );
};

const secret = (value: unknown) => ({ [SIGNATURE]: SECRET, value });
