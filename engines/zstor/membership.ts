import { createHmac, timingSafeEqual } from "node:crypto";
import type { StoreKeys } from "./keys.ts";

const MAGIC = "ZSTORMBR";
const VERSION = 1;
const STANDING_AT = 12;
const CONFIGURATION_AT = 16;
const STORE_AT = 20;
const HEAD_BYTES = 36;
const MAC_BYTES = 16;

/** `member`: it has been given everything, and what it holds counts. `outside`: not yet, or not any more. */
export type Standing = "member" | "outside";

export interface Membership {
    readonly standing: Standing;
    /** The number of the set of replicas with which that began. */
    readonly configuration: number;
}

const STANDINGS: readonly Standing[] = ["outside", "member"];

/** Says in a metadata namespace whether it counts: one that has lost its data has lost this too. `storeId` is 16 bytes. */
export function sealMembership(keys: StoreKeys, storeId: Buffer, { standing, configuration }: Membership): Buffer {
    const head = Buffer.alloc(HEAD_BYTES);
    head.write(MAGIC, 0, "latin1");
    head.writeUInt32LE(VERSION, 8);
    head.writeUInt32LE(STANDINGS.indexOf(standing), STANDING_AT);
    head.writeUInt32LE(configuration, CONFIGURATION_AT);
    storeId.copy(head, STORE_AT);
    return Buffer.concat([head, macOf(keys, head)]);
}

/** Undefined when it is none of this store. */
export function openMembership(keys: StoreKeys, storeId: Buffer, value: Buffer): Membership | undefined {
    const told = claimedMembership(value);
    if (told === undefined || !value.subarray(STORE_AT, HEAD_BYTES).equals(storeId)) return undefined;
    return timingSafeEqual(value.subarray(HEAD_BYTES), macOf(keys, value.subarray(0, HEAD_BYTES))) ? told : undefined;
}

/** What it says for those who have no key yet: good for a sentence, not for a decision. */
export function claimedMembership(value: Buffer): Membership | undefined {
    if (value.length !== HEAD_BYTES + MAC_BYTES || value.toString("latin1", 0, 8) !== MAGIC) return undefined;
    const standing = STANDINGS[value.readUInt32LE(STANDING_AT)];
    if (value.readUInt32LE(8) !== VERSION || standing === undefined) return undefined;
    return { standing, configuration: value.readUInt32LE(CONFIGURATION_AT) };
}

function macOf(keys: StoreKeys, head: Buffer): Buffer {
    return createHmac("sha256", keys.membership()).update(head).digest().subarray(0, MAC_BYTES);
}
