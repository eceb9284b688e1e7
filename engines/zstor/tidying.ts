import { type Backend, BackendError, keysOf } from "./backend.ts";
import { hashOf } from "./batch.ts";
import { openEpoch, sealEpoch } from "./epoch-record.ts";
import { reached } from "./failpoint.ts";
import type { Journal, Live } from "./journal.ts";
import { sealMembership } from "./membership.ts";
import { EPOCH_KEY, keyOf, MEMBER_KEY, type MetadataKey, parseKey } from "./metadata-key.ts";
import { type OwnStore, ownerOf, valueOrDamaged } from "./owner.ts";
import type { Replica, Replicas } from "./replicas.ts";
import type { ConfigRecord, View } from "./view.ts";
import { epochOf } from "./writer.ts";

export interface TidyingParts extends OwnStore {
    readonly replicas: Replicas;
    readonly journal: Journal;
    readonly view: View;
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
    const kept: Kept = {
        ...live,
        first: live.batches[0]?.sequence ?? 0,
        generation: config.generation,
    };
    for await (const { key } of keysOf(backend)) {
        const text = key.toString("latin1");
        if (wanted.has(text)) there.add(text);
        else if (isOver(parseKey(key), kept)) extra.push(key);
    }
    for (const [text, hash] of wanted)
        if (!there.has(text)) await backend.set(Buffer.from(text, "latin1"), await trueValue(parts.replicas, replica, text, hash));
    for (const key of extra) await backend.delete(key);
    // A write that it has missed meanwhile may be one that is not among them.
    if (replica.missed === missed) replica.missed = 0;
}

/**
 * Makes an empty namespace, or one of this store that has lost its data or its mark, whole: every value is compared, and only when all are there, and this front end
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
    await putOutside(parts, backend, configuration);
    // From here on no claim of another front end comes here; one that came before is not to be written over.
    const epoch = await valueOrDamaged(backend, EPOCH_KEY);
    const writer = epoch && openEpoch(keys, storeId, epoch);
    if (writer !== undefined && epochOf(writer) > epochOf(live.writer))
        throw new BackendError("refused", "another front end has taken over");
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
async function putOutside(own: OwnStore, backend: Backend, configuration: number): Promise<void> {
    if ((await ownerOf(own, backend)) === "another")
        throw new BackendError(
            "refused",
            "it is not empty, and holds the metadata of another store or something else: give an empty namespace",
        );
    await backend.set(MEMBER_KEY, sealMembership(own.keys, own.storeId, { standing: "outside", configuration }));
}

/** What the chain in force names, but for the marks: hashes by key, which is latin1 text. */
export function liveValues(live: Live, config: ConfigRecord): Map<string, Buffer> {
    return new Map(valuesFrom(live, config, 0));
}

/** In the order of their keys: batches in that of the chain, from that one on, then pages and the store record. */
function* valuesFrom({ batches, snapshot }: Live, config: ConfigRecord, from: number): Generator<readonly [string, Buffer]> {
    const named = (key: MetadataKey, hash: Buffer) => [keyOf(key).toString("latin1"), hash] as const;
    for (let index = from; index < batches.length; index++) {
        const batch = batches[index];
        if (batch) yield named({ kind: "batch", writer: batch.writer, sequence: batch.sequence }, batch.hash);
    }
    if (snapshot) {
        const { writer, sequence } = snapshot;
        for (const [page, hash] of snapshot.pages.entries()) yield named({ kind: "page", writer, sequence, page }, hash);
    }
    yield named({ kind: "store", writer: config.writer, generation: config.generation }, config.sha256);
}

export function countOfValues({ batches, snapshot }: Live): number {
    return batches.length + (snapshot?.pages.length ?? 0) + 1;
}

/** So many of them behind that key, without batches that came after `last`. */
export function valuesAfter(live: Live, config: ConfigRecord, after: string, last: number, limit: number): (readonly [string, Buffer])[] {
    const [begun] = live.batches;
    const key = parseKey(Buffer.from(after, "latin1"));
    const from = key?.kind === "batch" && begun ? Math.max(0, key.sequence + 1 - begun.sequence) : 0;
    const found: (readonly [string, Buffer])[] = [];
    for (const value of valuesFrom(live, config, key && key.kind !== "batch" ? live.batches.length : from)) {
        const place = parseKey(Buffer.from(value[0], "latin1"));
        if (value[0] <= after || (place?.kind === "batch" && place.sequence > last)) continue;
        found.push(value);
        if (found.length === limit) break;
    }
    return found;
}

/** Of the chain in force as it was when the tidying began, with the store record that it names. */
interface Kept extends Pick<Live, "writer" | "pagesOf" | "last"> {
    readonly first: number;
    readonly generation: number;
}

/** Of what that chain does not name. */
function isOver(key: MetadataKey | undefined, { writer, pagesOf, first, last, generation }: Kept): boolean {
    if (key === undefined || key.kind === "epoch" || key.kind === "member") return false;
    if (epochOf(key.writer) < epochOf(writer)) return true;
    // Also what an older secret opens.
    if (key.kind === "store") return epochOf(key.writer) === epochOf(writer) && key.generation < generation;
    if (key.writer !== writer) return false;
    // What comes of this writer may belong to what is being written now.
    return key.kind === "page" ? key.sequence < last && key.sequence !== pagesOf : key.sequence < first - 1;
}

/** From another replica. */
export async function trueValue(replicas: Replicas, except: Replica | undefined, text: string, hash: Buffer): Promise<Buffer> {
    const others = replicas.members.filter((other) => other !== except);
    const value = await replicas.find(Buffer.from(text, "latin1"), others, (found) => (hashOf(found).equals(hash) ? found : undefined));
    if (value === undefined) throw new BackendError("unreachable", "no other metadata replica that answers has what this one misses");
    return value;
}
