import { type Backend, BackendError, keysOf } from "./backend.ts";
import { openBatch, openPage } from "./batch.ts";
import { openEpoch } from "./epoch-record.ts";
import type { StoreKeys } from "./keys.ts";
import { OWNER_LOOKS } from "./limits.ts";
import { openMembership } from "./membership.ts";
import { EPOCH_KEY, MEMBER_KEY, parseKey } from "./metadata-key.ts";

export interface OwnStore {
    readonly keys: StoreKeys;
    readonly storeId: Buffer;
}

/** Whose what a metadata namespace holds is: this store's, nobody's, or not this store's as far as can be seen. */
export type Owner = "this" | "nobody" | "another";

/**
 * Marks and epochs are lost and damaged like other values, so either is enough. Without them one batch or page that opens with this store's keys is:
 * nobody else can have made those. But not where another store says that it is its own: whoever does not know yet goes on writing there.
 */
export async function ownerOf({ keys, storeId }: OwnStore, backend: Backend): Promise<Owner> {
    const [mark, epoch] = await Promise.all([valueOrDamaged(backend, MEMBER_KEY), valueOrDamaged(backend, EPOCH_KEY)]);
    if ((mark && openMembership(keys, storeId, mark)) || (epoch && openEpoch(keys, storeId, epoch))) return "this";
    if ([mark, epoch].some((value) => value && claimsAnother(value, storeId))) return "another";
    let looks = 0;
    for await (const { key } of keysOf(backend)) {
        const place = parseKey(key);
        if (place?.kind === "batch" || place?.kind === "page") {
            const value = await valueOrDamaged(backend, key);
            const opened = value && (place.kind === "batch" ? openBatch(keys, place, value) : openPage(keys, place, value));
            if (opened) return "this";
        }
        if (++looks === OWNER_LOOKS) break;
    }
    return looks === 0 ? "nobody" : "another";
}

const LENGTH_BYTES = 52;
const STORE_AT = 20;
/** Ids are random: those of two stores differ in nearly all of their 16 bytes, a damaged one in few. */
const DIFFERENCES = 4;

/** Marks and epochs have the id of their store at the same place. */
function claimsAnother(value: Buffer, storeId: Buffer): boolean {
    if (value.length !== LENGTH_BYTES) return false;
    return storeId.filter((byte, index) => byte !== value[STORE_AT + index]).length > DIFFERENCES;
}

const DAMAGED = Buffer.alloc(0);

/** One that its server cannot read any more is there, and says nothing. */
export async function valueOrDamaged(backend: Backend, key: Uint8Array): Promise<Buffer | undefined> {
    try {
        return await backend.get(key);
    } catch (error) {
        if (error instanceof BackendError && error.failure === "damaged") return DAMAGED;
        throw error;
    }
}
