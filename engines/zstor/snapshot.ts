import { hashOf, sealPage } from "./batch.ts";
import { reached } from "./failpoint.ts";
import type { StoreKeys } from "./keys.ts";
import { PAGE_BYTES } from "./limits.ts";
import { keyOf } from "./metadata-key.ts";
import { encodeRecord, type MetadataRecord, type WriterId } from "./record.ts";
import type { Replicas } from "./replicas.ts";

/** Writes records as the pages of a snapshot, each to W replicas, and gives their hashes; holds one page in memory. */
export async function writePages(
    replicas: Replicas,
    keys: StoreKeys,
    writer: WriterId,
    sequence: number,
    records: Iterable<MetadataRecord>,
): Promise<{ readonly pages: readonly Buffer[]; readonly bytes: number }> {
    const pages: Buffer[] = [];
    let bytes = 0;
    let gathered: Buffer[] = [];
    let size = 0;
    const flush = async () => {
        const place = { writer, sequence, page: pages.length };
        const value = sealPage(keys, place, Buffer.concat(gathered));
        await replicas.write(keyOf({ kind: "page", ...place }), value);
        reached("snapshot: a page written");
        pages.push(hashOf(value));
        bytes += value.length;
        gathered = [];
        size = 0;
    };
    for (const record of records) {
        const encoded = encodeRecord(record);
        if (size > 0 && size + encoded.length > PAGE_BYTES) await flush();
        gathered.push(encoded);
        size += encoded.length;
    }
    if (size > 0) await flush();
    return { pages, bytes };
}
