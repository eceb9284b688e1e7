import { type Batch, type BatchPlace, hashOf, NO_BATCH, openBatch, openPage } from "./batch.ts";
import type { StoreKeys } from "./keys.ts";
import { keyOf, type MetadataKey, parseKey } from "./metadata-key.ts";
import { StoreError } from "./object-api.ts";
import { isSnapshot, type MetadataRecord, type SnapshotRecord } from "./record.ts";
import type { Listing, Replica, Replicas } from "./replicas.ts";
import { epochOf } from "./writer.ts";

type ConfigRecord = Extract<MetadataRecord, { type: "config" }>;

/** The journal as W replicas have it: everything behind the state of the snapshot, oldest first. */
export interface Chain {
    readonly snapshot: SnapshotRecord | undefined;
    readonly batches: readonly Batch[];
    readonly bytes: number;
    /** Makes sure that all of it is on the replicas that answered. */
    writeBack(): Promise<void>;
}

type Listings = ReadonlyMap<Replica, Listing>;

/** Finds the head and follows it back. FORMAT.md says why that is the truth once it is written back. */
export async function readChain(replicas: Replicas, keys: StoreKeys): Promise<Chain> {
    const listings = await replicas.list();
    for (const replica of replicas.members) if (!listings.has(replica)) replica.missed++;
    const candidates = batchesOf(listings);
    const values = new Map<string, Buffer>();
    const read = async (place: BatchPlace, hash?: Buffer): Promise<Batch | undefined> => {
        const key = keyOf({ kind: "batch", ...place });
        return replicas.find(key, holders(listings, key), (value) => {
            const batch = openBatch(keys, place, value);
            if (batch === undefined || (hash && !batch.hash.equals(hash))) return undefined;
            values.set(key.toString("latin1"), value);
            return batch;
        });
    };

    const inOrder = bySequence(candidates);
    const head = await headOf(candidates, (place) => replicas.mayBeTrue(holders(listings, keyOf({ kind: "batch", ...place }))), read);
    const batches: Batch[] = [];
    let snapshot: SnapshotRecord | undefined;
    for (let batch = head; batch; ) {
        batches.push(batch);
        snapshot ??= batch.records.find(isSnapshot);
        if ((snapshot && batch.sequence <= snapshot.sequence + 1) || batch.previous.equals(NO_BATCH)) break;
        batch = await before(batch, inOrder, read);
    }
    batches.reverse();
    const bytes = [...values.values()].reduce((sum, value) => sum + value.length, 0);
    return {
        snapshot,
        batches,
        bytes,
        async writeBack() {
            for (const { writer, sequence } of batches)
                await writeTo(listings, { kind: "batch", writer, sequence }, (key) => values.get(key));
        },
    };
}

/** The store record that the chain says is in force: the last one that a batch names, or else the first record of the snapshot. */
export async function configNamed(
    replicas: Replicas,
    keys: StoreKeys,
    { snapshot, batches }: Pick<Chain, "snapshot" | "batches">,
): Promise<ConfigRecord | undefined> {
    for (const { records } of [...batches].reverse()) {
        const named = records.findLast((record) => record.type === "config");
        if (named) return named;
    }
    if (snapshot === undefined || snapshot.pages.length === 0) return undefined;
    const first = await readPage(replicas, keys, snapshot, 0);
    return first.find((record) => record.type === "config");
}

/** The records of a snapshot. What is held of it is its pages as they are stored: records take some ten times as much. */
export async function readSnapshot(replicas: Replicas, keys: StoreKeys, snapshot: SnapshotRecord): Promise<Iterable<MetadataRecord>> {
    const values: Buffer[] = [];
    for (const page of snapshot.pages.keys()) values.push(await pageValue(replicas, keys, snapshot, page));
    return recordsOf(keys, snapshot, values);
}

function* recordsOf(keys: StoreKeys, { writer, sequence }: SnapshotRecord, values: readonly Buffer[]): Generator<MetadataRecord> {
    for (const [page, value] of values.entries()) yield* openPage(keys, { writer, sequence, page }, value) ?? [];
}

async function readPage(replicas: Replicas, keys: StoreKeys, snapshot: SnapshotRecord, page: number): Promise<MetadataRecord[]> {
    const { writer, sequence } = snapshot;
    return openPage(keys, { writer, sequence, page }, await pageValue(replicas, keys, snapshot, page)) ?? [];
}

/** One that opens. */
async function pageValue(replicas: Replicas, keys: StoreKeys, { writer, sequence, pages }: SnapshotRecord, page: number): Promise<Buffer> {
    const hash = pages[page];
    const place = { writer, sequence, page };
    const found = await replicas.find(keyOf({ kind: "page", ...place }), replicas.members, (value) =>
        hash && hashOf(value).equals(hash) && openPage(keys, place, value) ? value : undefined,
    );
    if (found === undefined)
        throw new StoreError("lost", `page ${page} of the snapshot at ${sequence} is on none of the metadata replicas that answer`);
    return found;
}

/** Makes sure that pages of the snapshot and the store record in force are on W replicas. */
export async function secure(replicas: Replicas, snapshot: SnapshotRecord | undefined, config: ConfigRecord | undefined): Promise<void> {
    const wanted: { readonly key: MetadataKey; readonly hash: Buffer }[] = [];
    if (snapshot) {
        const { writer, sequence } = snapshot;
        for (const [page, hash] of snapshot.pages.entries()) wanted.push({ key: { kind: "page", writer, sequence, page }, hash });
    }
    if (config) wanted.push({ key: { kind: "store", writer: config.writer, generation: config.generation }, hash: config.sha256 });
    const listings = await replicas.list();
    for (const { key, hash } of wanted) {
        if (isEverywhere(listings, key)) continue;
        const value = await replicas.find(keyOf(key), replicas.members, (found) => (hashOf(found).equals(hash) ? found : undefined));
        if (value === undefined)
            throw new StoreError("lost", `what the journal names (${key.kind}) is on none of the metadata replicas that answer`);
        await writeTo(listings, key, () => value);
    }
}

function batchesOf(listings: Listings): BatchPlace[] {
    const places = new Map<string, BatchPlace>();
    for (const listing of listings.values()) {
        for (const text of listing) {
            const key = parseKey(Buffer.from(text, "latin1"));
            if (key?.kind === "batch") places.set(text, { writer: key.writer, sequence: key.sequence });
        }
    }
    return [...places.values()].sort(
        (a, b) => epochOf(b.writer) - epochOf(a.writer) || b.sequence - a.sequence || (a.writer < b.writer ? 1 : -1),
    );
}

function bySequence(places: readonly BatchPlace[]): Map<number, BatchPlace[]> {
    const found = new Map<number, BatchPlace[]>();
    for (const place of places) {
        const others = found.get(place.sequence);
        if (others) others.push(place);
        else found.set(place.sequence, [place]);
    }
    return found;
}

type Read = (place: BatchPlace, hash?: Buffer) => Promise<Batch | undefined>;

/** What cannot be read is passed over when fewer list it than would if it had been acknowledged. */
async function headOf(
    candidates: readonly BatchPlace[],
    mayBeTrue: (place: BatchPlace) => boolean,
    read: Read,
): Promise<Batch | undefined> {
    for (const place of candidates) {
        const batch = await read(place);
        if (batch) return batch;
        if (mayBeTrue(place))
            throw new StoreError(
                "lost",
                `batch ${place.sequence} of the journal is damaged, or of a newer version, on the metadata replicas that have it`,
            );
    }
    return undefined;
}

async function before(batch: Batch, candidates: ReadonlyMap<number, readonly BatchPlace[]>, read: Read): Promise<Batch> {
    for (const place of candidates.get(batch.sequence - 1) ?? []) {
        const found = await read(place, batch.previous);
        if (found) return found;
    }
    throw new StoreError("lost", `batch ${batch.sequence - 1} of the journal is on none of the metadata replicas that answer`);
}

function holders(listings: Listings, key: Buffer): Replica[] {
    const text = key.toString("latin1");
    return [...listings].filter(([, listing]) => listing.has(text)).map(([replica]) => replica);
}

function isEverywhere(listings: Listings, key: MetadataKey): boolean {
    return holders(listings, keyOf(key)).length === listings.size;
}

async function writeTo(listings: Listings, key: MetadataKey, valueUnder: (key: string) => Buffer | undefined): Promise<void> {
    const bytes = keyOf(key);
    const having = new Set(holders(listings, bytes));
    const value = valueUnder(bytes.toString("latin1"));
    if (value === undefined) return;
    for (const replica of listings.keys()) if (!having.has(replica)) await replica.backend.set(bytes, value);
}
