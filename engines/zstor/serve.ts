import { existsSync, statSync } from "node:fs";
import { ApiServer } from "./api-server.ts";
import { systemCacheFiles } from "./cache-files.ts";
import { bestCodec } from "./codecs.ts";
import { type FrontEndConfig, mergedBackends, newStoreOf } from "./config.ts";
import { StoreError } from "./object-api.ts";
import { createStore, openStore } from "./opening.ts";
import { type Store, type StoreParts, withCredentials } from "./store.ts";
import { stripesByBackend } from "./stripes-by-backend.ts";
import { systemClock, systemSurroundings } from "./surroundings.ts";
import { zdbBackend } from "./zdb-backend.ts";

/** Opens the store, makes it when there is none, and serves it until the signal comes. */
export async function serve(config: FrontEndConfig, log: (line: string) => void, stopped: Promise<string>): Promise<void> {
    const parts = partsOf(config, log);
    log(`erasure code: ${parts.codec.name}`);
    const store = await opened(parts, config);
    const server = new ApiServer(store, config.revision);
    try {
        await followConfig(store, config);
        store.caretaker.start();
        await server.listen(config.socket);
        log("ready");
        const why = await Promise.race([stopped, store.journal.ending]);
        if (why instanceof StoreError) throw why;
        log(`${why}, stopping`);
    } finally {
        server.close();
        await store.close();
    }
    log("stopped");
}

/** The real world for a store. */
export function partsOf({ view, deadAfterMs, scrubMs, cache }: FrontEndConfig, log: (line: string) => void): StoreParts {
    return {
        surroundings: systemSurroundings(log),
        connect: (url) => zdbBackend(url, systemClock),
        codec: bestCodec(),
        viewPath: view,
        deadAfterMs,
        scrubMs,
        ...(cache === undefined ? {} : { cache: { files: systemCacheFiles(cache.directory), sizeBytes: cache.sizeBytes } }),
    };
}

async function opened(parts: StoreParts, config: FrontEndConfig): Promise<Store> {
    const { secret, previousSecrets, metadata, view } = config;
    const hasSeenStore = existsSync(view) && statSync(view).size > 0;
    try {
        return await openStore(parts, secret, metadata);
    } catch (error) {
        if (previousSecrets.length > 0 && isWrongSecret(error)) return rotated(parts, config, error);
        if (!(error instanceof StoreError) || error.failure !== "not-found") throw error;
        if (hasSeenStore)
            throw new StoreError(
                "rolled-back",
                `${error.message}; but this front end has seen one (${view}): nothing new is made in its place`,
            );
        if (config.backends === undefined) throw error;
        await createStore(parts, secret, newStoreOf(config));
        const store = await openStore(parts, secret, metadata);
        store.caretaker.confirmSweep();
        return store;
    }
}

const isWrongSecret = (error: unknown): boolean => error instanceof StoreError && error.failure === "invalid";

/** Opened by one of the secrets that may have been before, and sealed with the one of today. */
async function rotated(parts: StoreParts, { secret, previousSecrets, metadata }: FrontEndConfig, wrong: unknown): Promise<Store> {
    for (const previous of previousSecrets) {
        try {
            const store = await openStore(parts, previous, metadata);
            await store.rotateSecret(secret);
            return store;
        } catch (error) {
            if (!isWrongSecret(error)) throw error;
        }
    }
    throw wrong;
}

/** Brings the store record to the backends and settings that are configured, and lets the metadata namespaces be exchanged for those. */
async function followConfig(store: Store, { metadata: given, writeQuorum, backends, settings }: FrontEndConfig): Promise<void> {
    if (backends === undefined) return;
    store.exchange.want({ metadata: given, writeQuorum });
    const stripes = stripesByBackend(store.view);
    // One that is taken out and emptied is let go of.
    const merged = mergedBackends(store.config.backends, backends).filter(({ id, state }) => state === "active" || stripes.has(id));
    const metadata = withCredentials(store.config.metadata, given);
    const wanted = JSON.stringify([metadata, merged, settings]);
    const { config } = store;
    if (wanted !== JSON.stringify([config.metadata, config.backends, config.settings]))
        await store.reconfigure({ metadata, backends: merged, settings });
}
