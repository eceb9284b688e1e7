import type { StoreKeys } from "./keys.ts";
import type { ObjectId } from "./record.ts";
import { NONCE_BYTES, open, seal } from "./sealing.ts";

/** A data key as it stands in a record; `wrapping` says with which of the store's keys. */
export function wrapKey(keys: StoreKeys, wrapping: number, object: ObjectId, generation: number, dataKey: Buffer, nonce: Buffer): Buffer {
    return Buffer.concat([nonce, seal(keys.wrapping(wrapping), nonce, associatedOf(object, generation), dataKey)]);
}

/** Undefined when it was not wrapped for that object and generation. */
export function unwrapKey(keys: StoreKeys, wrapping: number, object: ObjectId, generation: number, wrapped: Buffer): Buffer | undefined {
    const nonce = wrapped.subarray(0, NONCE_BYTES);
    return open(keys.wrapping(wrapping), nonce, associatedOf(object, generation), wrapped.subarray(NONCE_BYTES));
}

function associatedOf(object: ObjectId, generation: number): Buffer {
    const bytes = Buffer.alloc(24);
    bytes.write(object, 0, "hex");
    bytes.writeBigUInt64LE(BigInt(generation), 16);
    return bytes;
}
