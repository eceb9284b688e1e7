import { isUtf8 } from "node:buffer";
import type { Mode } from "./properties.ts";
import { idOfKey } from "./sequential-ids.ts";

/** Bytes as a JSON string, and how to read it. */
export interface EncodedBytes {
    readonly text: string;
    readonly encoding: "utf8" | "base64";
}

/** As text where the bytes are text, else in base64. */
export function encodeBytes(bytes: Buffer): EncodedBytes {
    return isUtf8(bytes) ? { text: bytes.toString("utf8"), encoding: "utf8" } : { text: bytes.toString("base64"), encoding: "base64" };
}

/** A key for people: `id 7`, `"name"`, or `0x00ff` when it is no text. */
export function keyWords(key: Buffer, mode: Mode): string {
    const id = mode === "seq" ? idOfKey(key) : undefined;
    if (id !== undefined) return `id ${id}`;
    const text = isUtf8(key) ? key.toString("utf8") : undefined;
    return text !== undefined && !/\p{C}/u.test(text) ? JSON.stringify(text) : `0x${key.toString("hex")}`;
}
