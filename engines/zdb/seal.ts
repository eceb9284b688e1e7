import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { errorCode } from "./disk.ts";
import { writeUint64 } from "./record.ts";
import { StartError } from "./refusal.ts";

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Hides secrets on the disk: nonce, AES-256-GCM ciphertext, tag. A sealed payload opens only as the property and LSN it was sealed for. */
export class Seal {
    private readonly key: Buffer;

    constructor(key: Buffer) {
        this.key = key;
    }

    close(property: string, lsn: number, payload: Buffer): Buffer {
        const nonce = randomBytes(NONCE_BYTES);
        const cipher = createCipheriv("aes-256-gcm", this.key, nonce).setAAD(boundTo(property, lsn));
        return Buffer.concat([nonce, cipher.update(payload), cipher.final(), cipher.getAuthTag()]);
    }

    /** The payload, or undefined when this key does not open it. */
    open(property: string, lsn: number, sealed: Buffer): Buffer | undefined {
        if (sealed.length < NONCE_BYTES + TAG_BYTES) return undefined;
        const end = sealed.length - TAG_BYTES;
        try {
            const decipher = createDecipheriv("aes-256-gcm", this.key, sealed.subarray(0, NONCE_BYTES))
                .setAAD(boundTo(property, lsn))
                .setAuthTag(sealed.subarray(end));
            return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, end)), decipher.final()]);
        } catch {
            return undefined;
        }
    }
}

/** Reads the key file; it must hold exactly 32 bytes and be readable by its owner only. */
export function readSealKey(file: string): Seal {
    let key: Buffer;
    let mode: number;
    try {
        mode = fs.statSync(file).mode;
        key = fs.readFileSync(file);
    } catch (error) {
        throw new StartError(
            `cannot read the seal key file ${file} (${errorCode(error)}): give --seal-key-file a file with 32 random bytes`,
        );
    }
    if ((mode & 0o077) !== 0) throw new StartError(`the seal key file ${file} may be read by others: run chmod 0600 on it`);
    if (key.length !== KEY_BYTES) throw new StartError(`the seal key file ${file} holds ${key.length} bytes, it must hold ${KEY_BYTES}`);
    return new Seal(key);
}

function boundTo(property: string, lsn: number): Buffer {
    const bound = Buffer.alloc(8);
    writeUint64(bound, lsn, 0);
    return Buffer.concat([bound, Buffer.from(property, "latin1")]);
}
