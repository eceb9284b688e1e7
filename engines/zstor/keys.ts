import { createHmac, hkdfSync } from "node:crypto";
import { CACHE_KEY_BYTES } from "./cache-segments.ts";
import { MOVE_BYTES } from "./move-numbers.ts";
import type { ObjectId, StripeId, WriterId } from "./record.ts";

const KEY_BYTES = 32;
const PREFIX_BYTES = 8;
const SHARD_TAG_BYTES = 16;
const OBJECT_BYTES = 16;

/** All that derives from the store key; labels and lengths are in FORMAT.md. */
export class StoreKeys {
    /** Of all keys of this store in data namespaces. */
    readonly prefix: Buffer;
    private readonly storeKey: Buffer;
    private readonly derived = new Map<string, Buffer>();

    constructor(storeKey: Buffer) {
        if (storeKey.length !== KEY_BYTES) throw new RangeError(`a store key has ${KEY_BYTES} bytes`);
        this.storeKey = storeKey;
        this.prefix = this.derive("prefix", PREFIX_BYTES);
    }

    objectId(name: string): ObjectId {
        return hmac(this.derive("name"), Buffer.from(name, "utf8")).toString("hex", 0, OBJECT_BYTES) as ObjectId;
    }

    /** `move` is the shard's in its layout: a shard that comes back to a backend has another key there than before. */
    shardKey(stripe: StripeId, index: number, move: number): Buffer {
        const id = Buffer.from(stripe, "hex");
        const tag = hmac(this.derive("shard key"), id, Buffer.of(index), moveBytes(move)).subarray(0, SHARD_TAG_BYTES);
        return Buffer.concat([this.prefix, id.subarray(0, 4), tag]);
    }

    /** What a chunk is called in a read cache: as opaque as a shard is to its backend. */
    cacheKey(object: ObjectId, generation: number, index: number): Buffer {
        const numbers = Buffer.alloc(16);
        numbers.writeBigUInt64LE(BigInt(generation));
        numbers.writeBigUInt64LE(BigInt(index), 8);
        return hmac(this.derive("cache"), Buffer.from(object, "hex"), numbers).subarray(0, CACHE_KEY_BYTES);
    }

    shardMac(index: number): Buffer {
        return this.derive(`shard mac ${index}`);
    }

    epoch(): Buffer {
        return this.derive("epoch");
    }

    membership(): Buffer {
        return this.derive("member");
    }

    journal(writer: WriterId): Buffer {
        return this.derive(`journal ${writer}`);
    }

    pages(writer: WriterId): Buffer {
        return this.derive(`pages ${writer}`);
    }

    wrapping(number: number): Buffer {
        return this.derive(`wrap ${number}`);
    }

    private derive(label: string, length = KEY_BYTES): Buffer {
        let key = this.derived.get(label);
        if (key === undefined) {
            key = Buffer.from(hkdfSync("sha256", this.storeKey, Buffer.alloc(0), `zstor/1 ${label}`, length));
            this.derived.set(label, key);
        }
        return key;
    }
}

/** None for a shard that was never moved. */
function moveBytes(move: number): Buffer {
    const bytes = Buffer.alloc(move === 0 ? 0 : MOVE_BYTES);
    if (move !== 0) bytes.writeUIntBE(move, 0, MOVE_BYTES);
    return bytes;
}

function hmac(key: Buffer, ...parts: readonly Uint8Array[]): Buffer {
    const mac = createHmac("sha256", key);
    for (const part of parts) mac.update(part);
    return mac.digest();
}
