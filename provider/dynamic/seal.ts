import { type Kind, primitiveOf } from "../../schema/index.ts";
import { isRecord, type Properties } from "../lifecycle/values.ts";

/** How a secret travels to the engine in what a provider answers: the two numbers are Pulumi's. */
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";

/** Properties with their secrets marked, so that the engine stores them encrypted and shows none of them. */
export const seal = (kind: Kind, properties: Properties): Properties => {
    const { inputs, outputs } = primitiveOf(kind);
    return Object.fromEntries(
        Object.entries(properties).map(([name, value]) => {
            if (inputs[name]) return [name, inputs[name].secret ? secret(value) : sealKey(value)];
            // An output is one value to the program, which is secret when a part of it is.
            return [name, outputs[name]?.secret || holdsKey(value) ? secret(value) : value];
        }),
    );
};

const secret = (value: unknown) => ({ [SIGNATURE]: SECRET, value });

const holdsKey = (value: unknown): value is Readonly<Record<string, unknown>> => isRecord(value) && typeof value.privateKey === "string";

/** Inputs keep their shape: the engine compares them with the program's, where only the key in a connection is secret. */
const sealKey = (value: unknown): unknown => (holdsKey(value) ? { ...value, privateKey: secret(value.privateKey) } : value);
