import { type Backend, BackendError, keysOf } from "./backend.ts";
import { hashOf } from "./batch.ts";
import { keyOf, parseKey } from "./metadata-key.ts";
import { StoreError } from "./object-api.ts";
import type { WriterId } from "./record.ts";
import type { Replicas } from "./replicas.ts";
import { NONCE_BYTES } from "./sealing.ts";
import { openStoreRecord, type SealingKey, type StoreConfig, sealingKey, sealStoreRecord } from "./store-record.ts";
import type { Surroundings } from "./surroundings.ts";
import { epochOf, writerId } from "./writer.ts";

const SALT_BYTES = 32;

export interface OpenedRecord {
    readonly config: StoreConfig;
    readonly sealing: SealingKey;
    readonly writer: WriterId;
    readonly sha256: Buffer;
}

/** Puts the first store record on every metadata namespace, which all have to answer and be empty. */
export async function createStoreRecord(
    backends: readonly Backend[],
    secret: string,
    config: StoreConfig,
    surroundings: Surroundings,
    log2N?: number,
): Promise<void> {
    for (const [index, backend] of backends.entries()) {
        const { entries } = await backend.scan();
        if (entries.length > 0)
            throw new StoreError(
                "invalid",
                `metadata namespace ${index + 1} is not empty: a new store needs empty ones, an existing one is opened`,
            );
    }
    const sealing = sealingKey(secret, surroundings.random(SALT_BYTES), log2N);
    const writer = writerId(0, surroundings.random(4));
    const value = sealStoreRecord(sealing, surroundings.random(NONCE_BYTES), config);
    const key = keyOf({ kind: "store", writer, generation: config.generation });
    for (const backend of backends) await backend.set(key, value);
}

/** The newest store record that the secret opens, from whichever of these metadata namespaces answer. */
export async function findStoreRecord(backends: readonly Backend[], secret: string): Promise<OpenedRecord> {
    const found = new Map<string, OpenedRecord>();
    const failures: string[] = [];
    let sealed = 0;
    for (const [index, backend] of backends.entries()) {
        try {
            for await (const { key } of keysOf(backend)) {
                const parsed = parseKey(key);
                const text = key.toString("latin1");
                if (parsed?.kind !== "store" || found.has(text)) continue;
                sealed++;
                const value = await backend.get(key);
                const opened = value && openStoreRecord(secret, value);
                if (opened) found.set(text, { ...opened, writer: parsed.writer, sha256: hashOf(value) });
            }
        } catch (error) {
            if (!(error instanceof BackendError)) throw error;
            failures.push(`${index + 1}: ${error.message}`);
        }
    }
    const newest = [...found.values()].sort(
        (a, b) => b.config.generation - a.config.generation || epochOf(b.writer) - epochOf(a.writer),
    )[0];
    if (newest) return newest;
    if (sealed > 0) throw new StoreError("invalid", "the secret opens none of the store records that are there");
    if (failures.length > 0)
        throw new StoreError("no-quorum", `no metadata namespace that answers has a store record (${failures.join("; ")})`);
    throw new StoreError("not-found", "the metadata namespaces have no store record: no store was ever made there");
}

/** The one that the journal names, if it is another one. */
export async function recordInForce(
    replicas: Replicas,
    secret: string,
    named: { readonly writer: WriterId; readonly generation: number; readonly sha256: Buffer },
): Promise<OpenedRecord> {
    const key = keyOf({ kind: "store", writer: named.writer, generation: named.generation });
    const value = await replicas.find(key, replicas.all, (found) => (hashOf(found).equals(named.sha256) ? found : undefined));
    if (value === undefined) throw new StoreError("lost", "the store record in force is on none of the metadata replicas that answer");
    const opened = openStoreRecord(secret, value);
    if (opened === undefined) throw new StoreError("invalid", "the secret has been changed: this one opens an older store record only");
    return { ...opened, writer: named.writer, sha256: named.sha256 };
}
