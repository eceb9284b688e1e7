import { createHmac, timingSafeEqual } from "node:crypto";
import type { StoreKeys } from "./keys.ts";
import type { WriterId } from "./record.ts";

const MAGIC = "ZSTOREPO";
const VERSION = 1;
const HEAD_BYTES = 36;
const MAC_BYTES = 16;

/** Says in a metadata namespace who writes now. `storeId` is 16 bytes. */
export function sealEpoch(keys: StoreKeys, storeId: Buffer, writer: WriterId): Buffer {
    const head = Buffer.alloc(HEAD_BYTES);
    head.write(MAGIC, 0, "latin1");
    head.writeUInt32LE(VERSION, 8);
    const writerBytes = Buffer.from(writer, "hex");
    head.writeUInt32LE(writerBytes.readUInt32BE(0), 12);
    head.writeUInt32LE(writerBytes.readUInt32BE(4), 16);
    // storeId takes the last 16 bytes.
    storeId.copy(head, 20);
    return Buffer.concat([head, macOf(keys, head)]);
}

/** Undefined when it is none of this store. */
export function openEpoch(keys: StoreKeys, storeId: Buffer, value: Buffer): WriterId | undefined {
    if (value.length !== HEAD_BYTES + MAC_BYTES) return undefined;
    const head = value.subarray(0, HEAD_BYTES);
    if (!timingSafeEqual(value.subarray(HEAD_BYTES), macOf(keys, head))) return undefined;
    if (head.toString("latin1", 0, 8) !== MAGIC || head.readUInt32LE(8) !== VERSION || !head.subarray(20).equals(storeId)) return undefined;
    const writer = Buffer.alloc(8);
    writer.writeUInt32BE(head.readUInt32LE(12));
    writer.writeUInt32BE(head.readUInt32LE(16), 4);
    return writer.toString("hex") as WriterId;
}

function macOf(keys: StoreKeys, head: Buffer): Buffer {
    return createHmac("sha256", keys.epoch()).update(head).digest().subarray(0, MAC_BYTES);
}
