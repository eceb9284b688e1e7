import { type Backend, BackendError, keysOf } from "./backend.ts";
import { hashOf } from "./batch.ts";
import { openEpoch, sealEpoch } from "./epoch-record.ts";
import { reached } from "./failpoint.ts";
import type { Journal, Live } from "./journal.ts";
import type { StoreKeys } from "./keys.ts";
import { openMembership, sealMembership } from "./membership.ts";
import { EPOCH_KEY, keyOf, MEMBER_KEY, type MetadataKey, parseKey } from "./metadata-key.ts";
import type { Replica, Replicas } from "./replicas.ts";
import type { ConfigRecord, View } from "./view.ts";
import { epochOf } from "./writer.ts";

export interface TidyingParts {
    readonly replicas: Replicas;
    readonly journal: Journal;
    readonly view: View;
    readonly keys: StoreKeys;
    readonly storeId: Buffer;
}

/** How far the filling of a namespace is. */
export interface Filling {
    values: number;
    copied: number;
}

/**
 * Brings one metadata replica to what the chain in force names: what it misses is copied from others, what nothing names any more is
 * deleted: of earlier epochs everything that is not in force, of this one what lies before the snapshot. What a later epoch wrote is not touched.
 */
export async function tidyReplica(parts: TidyingParts, replica: Replica, live: Live): Promise<void> {
    const { config } = parts.view;
    // Before the first store record is in force, the only one there is would count as a left-over.
    if (config === undefined) return;
    const { missed } = replica;
    const { backend } = replica;
    const wanted = liveValues(live, config);
    const there = new Set<string>();
    const extra: Buffer[] = [];
    const firstKept = live.batches[0]?.sequence ?? 0;
    for await (const { key } of keysOf(backend)) {
        const text = key.toString("latin1");
        if (wanted.has(text)) there.add(text);
        else if (isOver(parseKey(key), live, firstKept, config.generation)) extra.push(key);
    }
    for (const [text, hash] of wanted)
        if (!there.has(text)) await backend.set(Buffer.from(text, "latin1"), await trueValue(parts.replicas, replica, text, hash));
    for (const key of extra) await backend.delete(key);
    // A write that it has missed meanwhile may be one that is not among them.
    if (replica.missed === missed) replica.missed = 0;
}

/**
 * Makes an empty namespace, or one that has lost its data, whole: every value is compared, and only when all are there, and this front end
 * still is the writer, is it marked as a member. Until then nothing that it holds counts.
 */
export async function fillReplica(
    parts: TidyingParts,
    { backend, itself }: { readonly backend: Backend; readonly itself?: Replica | undefined },
    configuration: number,
    told: Filling = { values: 0, copied: 0 },
): Promise<void> {
    const { replicas, journal, view, keys, storeId } = parts;
    await journal.verify();
    const { live } = journal;
    const { config } = view;
    if (live === undefined || config === undefined) throw new BackendError("refused", "the journal is being taken over");
    const missed = itself?.missed;
    await putOutside(parts, backend, itself, configuration);
    const wanted = liveValues(live, config);
    told.values = wanted.size;
    told.copied = 0;
    for (const [text, hash] of wanted) {
        const key = Buffer.from(text, "latin1");
        const there = await backend.get(key);
        if (!there || !hashOf(there).equals(hash)) await backend.set(key, await trueValue(replicas, itself, text, hash));
        told.copied++;
    }
    await backend.set(EPOCH_KEY, sealEpoch(keys, storeId, live.writer));
    // Whoever took over meanwhile may have written what is not here.
    await journal.verify();
    if (journal.live?.writer !== live.writer) throw new BackendError("refused", "the journal was taken over meanwhile");
    reached("exchange: filled, not marked");
    await backend.set(MEMBER_KEY, sealMembership(keys, storeId, { standing: "member", configuration }));
    if (itself === undefined) return;
    itself.counts = true;
    if (itself.missed === missed) itself.missed = 0;
}

/** Its mark says first that it does not count. What holds anything of others is left alone. */
async function putOutside(
    { keys, storeId }: TidyingParts,
    backend: Backend,
    itself: Replica | undefined,
    configuration: number,
): Promise<void> {
    const [mark, epoch] = await Promise.all([backend.get(MEMBER_KEY), backend.get(EPOCH_KEY)]);
    const isForeign = (mark && !openMembership(keys, storeId, mark)) || (epoch && !openEpoch(keys, storeId, epoch));
    if (isForeign) throw new BackendError("refused", "it holds the metadata of another store, or is damaged: give an empty namespace");
    if (mark === undefined && itself === undefined && (await backend.scan()).entries.length > 0)
        throw new BackendError("refused", "it is not empty: give an empty namespace");
    await backend.set(MEMBER_KEY, sealMembership(keys, storeId, { standing: "outside", configuration }));
}

/** What the chain in force names, but for the marks: hashes by key, which is latin1 text. */
export function liveValues({ batches, snapshot }: Live, config: ConfigRecord): Map<string, Buffer> {
    const wanted = new Map<string, Buffer>();
    const want = (key: MetadataKey, hash: Buffer) => wanted.set(keyOf(key).toString("latin1"), hash);
    for (const { writer, sequence, hash } of batches) want({ kind: "batch", writer, sequence }, hash);
    if (snapshot) {
        const { writer, sequence } = snapshot;
        for (const [page, hash] of snapshot.pages.entries()) want({ kind: "page", writer, sequence, page }, hash);
    }
    want({ kind: "store", writer: config.writer, generation: config.generation }, config.sha256);
    return wanted;
}

function isOver(key: MetadataKey | undefined, { writer }: Live, firstKept: number, inForce: number): boolean {
    if (key === undefined || key.kind === "epoch" || key.kind === "member") return false;
    if (epochOf(key.writer) < epochOf(writer)) return true;
    // Also what an older secret opens.
    if (key.kind === "store") return epochOf(key.writer) === epochOf(writer) && key.generation < inForce;
    // Pages and batches of this writer that come may belong to what is being written now.
    return key.writer === writer && key.sequence < firstKept - 1;
}

/** From another replica. */
export async function trueValue(replicas: Replicas, except: Replica | undefined, text: string, hash: Buffer): Promise<Buffer> {
    const others = replicas.members.filter((other) => other !== except);
    const value = await replicas.find(Buffer.from(text, "latin1"), others, (found) => (hashOf(found).equals(hash) ? found : undefined));
    if (value === undefined) throw new BackendError("unreachable", "no other metadata replica that answers has what this one misses");
    return value;
}
