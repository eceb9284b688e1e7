import type { Backend } from "./backend.ts";
import { createStoreRecord, FIRST_CONFIGURATION, findStoreRecords } from "./bootstrap.ts";
import { BoundedBackend } from "./bounded-backend.ts";
import { StoreError } from "./object-api.ts";
import type { Connect } from "./pool.ts";
import { checkQuorum } from "./replicas.ts";
import { Store, type StoreParts } from "./store.ts";
import { type BackendConfig, replicaSetsOf, type StoreConfig, type StoreSettings } from "./store-record.ts";
import type { Surroundings } from "./surroundings.ts";

export interface NewStore {
    readonly metadata: readonly string[];
    readonly writeQuorum: number;
    readonly backends: readonly BackendConfig[];
    readonly settings: StoreSettings;
}

/** Makes a store in empty metadata namespaces. */
export async function createStore({ surroundings, connect, secretCost }: StoreParts, secret: string, store: NewStore): Promise<void> {
    const config: StoreConfig = {
        storeId: surroundings.random(16).toString("hex"),
        storeKey: surroundings.random(32).toString("base64"),
        generation: 1,
        wrapping: 1,
        configuration: FIRST_CONFIGURATION,
        ...store,
        metadata: [...store.metadata],
        backends: [...store.backends],
    };
    checkQuorum(store.writeQuorum, store.metadata.length);
    await withBackends(store.metadata, connect, surroundings, (backends) =>
        createStoreRecord(backends, secret, config, surroundings, secretCost),
    );
}

/** Opens a store from its secret and some of its metadata namespaces: takes over from any other front end. */
export async function openStore(parts: StoreParts, secret: string, metadata: readonly string[]): Promise<Store> {
    const { connect, surroundings } = parts;
    const found = await withBackends(metadata, connect, surroundings, (backends) => findStoreRecords(backends, secret));
    let refusal: unknown;
    const tried = new Set<string>();
    for (const record of found) {
        const sets = JSON.stringify(replicaSetsOf(record.config));
        if (tried.has(sets)) continue;
        tried.add(sets);
        try {
            return await Store.open(parts, secret, record, metadata);
        } catch (error) {
            // One that was never in force may name replicas that never were any; an older one leads to the one in force as well.
            if (!(error instanceof StoreError) || error.failure !== "no-quorum") throw error;
            refusal ??= error;
        }
    }
    throw refusal;
}

async function withBackends<T>(
    urls: readonly string[],
    connect: Connect,
    { clock }: Surroundings,
    work: (backends: readonly Backend[]) => Promise<T>,
): Promise<T> {
    const backends = urls.map((url) => new BoundedBackend(connect(url), clock));
    try {
        return await work(backends);
    } finally {
        for (const backend of backends) backend.close();
    }
}
