import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { writeDurably } from "./durable-file.ts";

const CIPHER = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Keeps secrets of the store from whoever gets hold of a copy of it without the node's key. */
export interface Seal {
    /** `bound` is what the text belongs to: sealed for one life, it cannot be opened for another. */
    seal(text: string, bound: string): Uint8Array;
    /** Throws when the key is another one or the bytes were changed. */
    open(sealed: Uint8Array, bound: string): string;
}

export const sealWith = (key: Uint8Array): Seal => ({
    seal: (text, bound) => {
        const nonce = randomBytes(NONCE_BYTES);
        const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(bound));
        const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
        return Buffer.concat([nonce, cipher.getAuthTag(), body]);
    },
    open: (sealed, bound) => {
        const bytes = Buffer.from(sealed);
        const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES)).setAAD(Buffer.from(bound));
        decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
        return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString("utf8");
    },
});

/** The node's key, made when there is none; undefined when there is none and none may be made, because a store was sealed with it. */
export const nodeKey = (path: string, mayMake: boolean): Uint8Array | undefined => {
    if (existsSync(path)) {
        const key = readFileSync(path);
        return key.length === KEY_BYTES ? key : undefined;
    }
    if (!mayMake) return undefined;
    const key = randomBytes(KEY_BYTES);
    writeDurably(path, key);
    return key;
};
