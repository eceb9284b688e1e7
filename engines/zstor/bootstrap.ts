import { type Backend, BackendError, keysOf } from "./backend.ts";
import { hashOf } from "./batch.ts";
import { StoreKeys } from "./keys.ts";
import { claimedMembership, sealMembership } from "./membership.ts";
import { keyOf, MEMBER_KEY, parseKey } from "./metadata-key.ts";
import { StoreError } from "./object-api.ts";
import type { WriterId } from "./record.ts";
import type { Replicas } from "./replicas.ts";
import { NONCE_BYTES } from "./sealing.ts";
import { openStoreRecord, type SealingKey, type StoreConfig, sealingKey, sealStoreRecord } from "./store-record.ts";
import type { Surroundings } from "./surroundings.ts";
import { epochOf, writerId } from "./writer.ts";

const SALT_BYTES = 32;
/** Sets of metadata replicas are numbered from here on; stores of the first version have no number until their replicas are marked. */
export const FIRST_CONFIGURATION = 1;

export interface OpenedRecord {
    readonly config: StoreConfig;
    readonly sealing: SealingKey;
    readonly writer: WriterId;
    readonly sha256: Buffer;
}

/**
 * Puts the first store record on every metadata namespace, which all have to answer and be empty. The marks of members are everywhere
 * before the first record is anywhere: what a record can be read from is a whole store, and a making that was cut off before can be repeated.
 */
export async function createStoreRecord(
    backends: readonly Backend[],
    secret: string,
    config: StoreConfig,
    surroundings: Surroundings,
    log2N?: number,
): Promise<void> {
    for (const [index, backend] of backends.entries()) {
        const { entries } = await backend.scan();
        if (entries.some(({ key }) => !key.equals(MEMBER_KEY)))
            throw new StoreError(
                "invalid",
                `metadata namespace ${index + 1} is not empty: a new store needs empty ones, an existing one is opened`,
            );
    }
    const { storeId, storeKey, configuration = FIRST_CONFIGURATION } = config;
    const keys = new StoreKeys(Buffer.from(storeKey, "base64"));
    const mark = sealMembership(keys, Buffer.from(storeId, "hex"), { standing: "member", configuration });
    for (const backend of backends) await backend.set(MEMBER_KEY, mark);
    const sealing = sealingKey(secret, surroundings.random(SALT_BYTES), log2N);
    const writer = writerId(0, surroundings.random(4));
    const value = sealStoreRecord(sealing, surroundings.random(NONCE_BYTES), config);
    const key = keyOf({ kind: "store", writer, generation: config.generation });
    for (const backend of backends) await backend.set(key, value);
}

/** The store records that the secret opens, the newest first, from whichever of these metadata namespaces answer. */
export async function findStoreRecords(backends: readonly Backend[], secret: string): Promise<OpenedRecord[]> {
    const found = new Map<string, OpenedRecord>();
    const failures: string[] = [];
    const outside: number[] = [];
    let sealed = 0;
    for (const [index, backend] of backends.entries()) {
        try {
            for await (const { key } of keysOf(backend)) {
                const parsed = parseKey(key);
                if (parsed?.kind === "member") {
                    const mark = claimedMembership((await backend.get(key)) ?? Buffer.alloc(0));
                    if (mark?.standing === "outside") outside.push(index + 1);
                }
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
    if (found.size > 0)
        return [...found.values()].sort((a, b) => b.config.generation - a.config.generation || epochOf(b.writer) - epochOf(a.writer));
    if (sealed > 0) throw new StoreError("invalid", "the secret opens none of the store records that are there");
    if (outside.length > 0)
        throw new StoreError(
            "removed",
            `of the metadata namespaces, number ${outside.join(", ")} was taken out of its store, or never became one of it: give one that the store has now`,
        );
    if (failures.length > 0)
        throw new StoreError("no-quorum", `no metadata namespace that answers has a store record (${failures.join("; ")})`);
    throw new StoreError("not-found", "the metadata namespaces have no store record: no store was ever made there");
}

/** The one that the journal names, if it is another one. */
export async function recordInForce(
    replicas: Replicas,
    secrets: Iterable<string>,
    named: { readonly writer: WriterId; readonly generation: number; readonly sha256: Buffer },
): Promise<OpenedRecord> {
    const key = keyOf({ kind: "store", writer: named.writer, generation: named.generation });
    const value = await replicas.find(key, replicas.members, (found) => (hashOf(found).equals(named.sha256) ? found : undefined));
    if (value === undefined) throw new StoreError("lost", "the store record in force is on none of the metadata replicas that answer");
    for (const secret of secrets) {
        const opened = openStoreRecord(secret, value);
        if (opened) return { ...opened, writer: named.writer, sha256: named.sha256 };
    }
    throw new StoreError("invalid", "the secret has been changed: this one opens an older store record only");
}
