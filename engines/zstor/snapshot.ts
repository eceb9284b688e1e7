import { hashOf, sealPage } from "./batch.ts";
import { reached } from "./failpoint.ts";
import type { StoreKeys } from "./keys.ts";
import { PAGE_BYTES, SNAPSHOT_STEP_BYTES } from "./limits.ts";
import { keyOf } from "./metadata-key.ts";
import { encodeRecord, type MetadataRecord, type WriterId } from "./record.ts";
import type { Replicas } from "./replicas.ts";
import { type Clock, pause } from "./surroundings.ts";

/** Pages of a snapshot that are on W replicas, and that no batch names yet. */
export interface Pages {
    readonly writer: WriterId;
    /** Of the batch whose state they are. */
    readonly sequence: number;
    readonly hashes: readonly Buffer[];
    readonly bytes: number;
}

interface PagesParts {
    readonly replicas: Replicas;
    readonly keys: StoreKeys;
    readonly clock: Clock;
    readonly writer: WriterId;
    readonly sequence: number;
    /** False when they are of no use any more: the rest is not written. */
    isWanted(): boolean;
}

/** Writes records as the pages of a snapshot, each to W replicas; holds one page in memory, and lets others have their turn. */
export async function writePages(
    { replicas, keys, clock, writer, sequence, isWanted }: PagesParts,
    records: Iterable<MetadataRecord>,
): Promise<Pages | undefined> {
    const hashes: Buffer[] = [];
    let bytes = 0;
    let gathered: Buffer[] = [];
    let size = 0;
    let step = 0;
    const flush = async () => {
        const place = { writer, sequence, page: hashes.length };
        const value = sealPage(keys, place, Buffer.concat(gathered));
        await replicas.write(keyOf({ kind: "page", ...place }), value);
        reached("snapshot: a page written");
        hashes.push(hashOf(value));
        bytes += value.length;
        gathered = [];
        size = 0;
    };
    for (const record of records) {
        const encoded = encodeRecord(record);
        if (size > 0 && size + encoded.length > PAGE_BYTES) await flush();
        gathered.push(encoded);
        size += encoded.length;
        step += encoded.length;
        if (step >= SNAPSHOT_STEP_BYTES) {
            step = 0;
            await pause(clock, 0);
        }
        if (!isWanted()) return undefined;
    }
    if (size > 0) await flush();
    reached("snapshot: pages written, not named");
    return { writer, sequence, hashes, bytes };
}
