import { createCipheriv, createDecipheriv } from "node:crypto";

export const TAG_BYTES = 16;
export const NONCE_BYTES = 12;
const CIPHER = "aes-256-gcm";

/** AES-256-GCM: the ciphertext and behind it the tag. A nonce is used once with a key. */
export function seal(key: Uint8Array, nonce: Uint8Array, associated: Uint8Array, plain: Uint8Array): Buffer {
    const cipher = createCipheriv(CIPHER, key, nonce);
    cipher.setAAD(associated);
    const body = cipher.update(plain);
    cipher.final();
    return Buffer.concat([body, cipher.getAuthTag()]);
}

/** Undefined when it is not what was sealed with that key, nonce and associated data. */
export function open(key: Uint8Array, nonce: Uint8Array, associated: Uint8Array, sealed: Uint8Array): Buffer | undefined {
    if (sealed.length < TAG_BYTES) return undefined;
    const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(associated);
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    const plain = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
    try {
        decipher.final();
    } catch {
        // The only thing that final can say in this mode is that the tag is wrong.
        return undefined;
    }
    return plain;
}

/** GMAC: the tag over `data` alone. */
export function authenticate(key: Uint8Array, nonce: Uint8Array, data: Uint8Array): Buffer {
    const cipher = createCipheriv(CIPHER, key, nonce);
    cipher.setAAD(data);
    cipher.final();
    return cipher.getAuthTag();
}
