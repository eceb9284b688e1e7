import { scryptSync } from "node:crypto";
import { z } from "zod";
import type { ReplicaSet } from "./replicas.ts";
import { NONCE_BYTES, open, seal } from "./sealing.ts";

const backend = z.strictObject({
    /** From 2 on; never used again for another. */
    id: z.number().int().min(2),
    url: z.string(),
    group: z.string(),
    disk: z.string(),
    weight: z.number().positive(),
    /** `draining`: taken out of the configuration, read from while it answers; nothing new goes there. */
    state: z.enum(["active", "draining"]),
    /** It is allowed without `durability: commit`. */
    allowUnsafe: z.boolean(),
});

const settings = z.strictObject({
    dataShards: z.number().int().min(1),
    parityShards: z.number().int().min(1),
    redundantGroups: z.number().int().min(0),
    redundantNodes: z.number().int().min(0),
    minParity: z.number().int().min(0),
    compression: z.boolean(),
    /** Generations of an object that are kept, the newest ones. */
    keepGenerations: z.number().int().min(1),
});

const replicaSet = z.strictObject({ metadata: z.array(z.string()).min(1), writeQuorum: z.number().int().min(1) });

const content = z.strictObject({
    storeId: z.string(),
    storeKey: z.string(),
    generation: z.number().int().min(1),
    /** Number of the wrapping key for new data keys. */
    wrapping: z.number().int().min(1),
    ...replicaSet.shape,
    /** Number of this set of metadata replicas; since there is one, members bear marks. Version 1 had none. */
    configuration: z.number().int().min(1).optional(),
    /** The set before, while this one takes its place: until it is gone everything has to be true in both. */
    previous: replicaSet.optional(),
    /** Were replicas, and have not been told yet that they are none any more. */
    removed: z.array(z.strictObject({ url: z.string(), sinceMs: z.number() })).optional(),
    backends: z.array(backend),
    settings,
});

export type BackendConfig = z.infer<typeof backend>;
export type StoreSettings = z.infer<typeof settings>;
/** The whole configuration of a store, with its credentials and its key: sealed in every metadata namespace, nowhere else. */
export type StoreConfig = z.infer<typeof content>;

/** The sets of metadata replicas in which everything has to be true. */
export function replicaSetsOf({ metadata, writeQuorum, previous }: StoreConfig): ReplicaSet[] {
    return [{ metadata, writeQuorum }, ...(previous === undefined ? [] : [previous])];
}

const MAGIC = "ZSTORREC";
/** The second one has numbered sets of metadata replicas: who does not know of them must not open it. */
const VERSIONS = [1, 2];
const LOG2_N = 15;
const BLOCK = 8;
const PARALLEL = 1;
const SALT_BYTES = 32;
const SALT_AT = 16;
const HEAD_BYTES = SALT_AT + SALT_BYTES + NONCE_BYTES;
const KEY_BYTES = 32;
/** What scrypt may take: twice what the costliest record needs. */
const MOST_MEMORY_BYTES = 256 * 2 ** 20;
/** N x r x p of a record that somebody else has put there: four times our own, during which nothing else is done here. */
const MOST_COST = 4 * 2 ** LOG2_N * BLOCK * PARALLEL;

/** The key that a secret gives; deriving it costs 50 ms and 32 MiB on purpose, so whoever seals more than once keeps it. */
export interface SealingKey {
    readonly salt: Buffer;
    readonly log2N: number;
    readonly key: Buffer;
}

export function sealingKey(secret: string, salt: Buffer, log2N = LOG2_N): SealingKey {
    return { salt, log2N, key: derive(secret, salt, log2N, BLOCK, PARALLEL) };
}

export function sealStoreRecord({ salt, log2N, key }: SealingKey, nonce: Buffer, config: StoreConfig): Buffer {
    const head = Buffer.alloc(HEAD_BYTES);
    head.write(MAGIC, 0, "latin1");
    head.writeUInt32LE(config.configuration === undefined ? 1 : 2, 8);
    head.set([log2N, BLOCK, PARALLEL, 0], 12);
    salt.copy(head, SALT_AT);
    nonce.copy(head, SALT_AT + SALT_BYTES);
    return Buffer.concat([head, seal(key, nonce, head, Buffer.from(JSON.stringify(config)))]);
}

/** Undefined when the secret is not the one it was sealed with, or it is no store record. */
export function openStoreRecord(secret: string, value: Buffer): { readonly config: StoreConfig; readonly sealing: SealingKey } | undefined {
    const head = value.subarray(0, HEAD_BYTES);
    if (head.length < HEAD_BYTES || head.toString("latin1", 0, 8) !== MAGIC || !VERSIONS.includes(head.readUInt32LE(8))) return undefined;
    const [log2N = 0, block = 0, parallel = 0] = head.subarray(12, 15);
    // Scrypt is defined for N below 2^(16 r) only.
    if (log2N < 1 || log2N >= 16 * block || block < 1 || parallel < 1) return undefined;
    if (2 ** log2N * block * parallel > MOST_COST) return undefined;
    const salt = Buffer.from(head.subarray(SALT_AT, SALT_AT + SALT_BYTES));
    const key = derive(secret, salt, log2N, block, parallel);
    const json = open(key, head.subarray(SALT_AT + SALT_BYTES), head, value.subarray(HEAD_BYTES));
    if (json === undefined) return undefined;
    return { config: content.parse(JSON.parse(json.toString("utf8"))), sealing: { salt, log2N, key } };
}

function derive(secret: string, salt: Buffer, log2N: number, block: number, parallel: number): Buffer {
    return scryptSync(secret, salt, KEY_BYTES, { N: 2 ** log2N, r: block, p: parallel, maxmem: MOST_MEMORY_BYTES });
}
