import { type Backend, BackendError, keysOf } from "./backend.ts";
import { hashOf } from "./batch.ts";
import type { Live } from "./journal.ts";
import { keyOf, type MetadataKey, parseKey } from "./metadata-key.ts";
import type { Replicas } from "./replicas.ts";
import type { ConfigRecord } from "./view.ts";
import { epochOf } from "./writer.ts";

/**
 * Brings one metadata replica to what the chain in force names: what it misses is copied from others, what nothing names any more is
 * deleted: of earlier epochs everything that is not in force, of this one what lies before the snapshot. What a later epoch wrote is not touched.
 */
export async function tidyReplica(replicas: Replicas, index: number, live: Live, config: ConfigRecord | undefined): Promise<void> {
    const backend = replicas.backends[index];
    if (backend === undefined) return;
    // Before the first store record is in force, the only one there is would count as a left-over.
    if (config === undefined) return;
    const wanted = wantedKeys(live, config);
    const there = new Set<string>();
    const extra: Buffer[] = [];
    const firstKept = live.batches[0]?.sequence ?? 0;
    for await (const { key } of keysOf(backend)) {
        const text = key.toString("latin1");
        if (wanted.has(text)) there.add(text);
        else if (isOver(parseKey(key), live, firstKept, config.generation)) extra.push(key);
    }
    for (const [text, hash] of wanted) if (!there.has(text)) await copy(replicas, index, backend, Buffer.from(text, "latin1"), hash);
    for (const key of extra) await backend.delete(key);
    replicas.behind.delete(index);
}

function wantedKeys({ batches, snapshot }: Live, config: ConfigRecord): Map<string, Buffer> {
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
    if (key === undefined || key.kind === "epoch") return false;
    if (epochOf(key.writer) < epochOf(writer)) return true;
    // Also what an older secret opens.
    if (key.kind === "store") return epochOf(key.writer) === epochOf(writer) && key.generation < inForce;
    // Pages and batches of this writer that come may belong to what is being written now.
    return key.writer === writer && key.sequence < firstKept - 1;
}

async function copy(replicas: Replicas, index: number, backend: Backend, key: Buffer, hash: Buffer): Promise<void> {
    const others = replicas.all.filter((other) => other !== index);
    const value = await replicas.find(key, others, (found) => (hashOf(found).equals(hash) ? found : undefined));
    if (value === undefined) throw new BackendError("unreachable", "no other metadata replica that answers has what this one misses");
    await backend.set(key, value);
}
