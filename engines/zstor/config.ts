import { readFileSync, statSync } from "node:fs";
import { z } from "zod";
import { identityOf, nameOfBackend, parseBackendUrl } from "./backend-url.ts";
import { defaultQuorum } from "./exchange.ts";
import { CACHE_LEAST_BYTES, DEAD_AFTER_MS, MAX_SHARDS, SCRUB_MS } from "./limits.ts";
import { StoreError } from "./object-api.ts";
import type { NewStore } from "./opening.ts";
import type { BackendConfig, StoreSettings } from "./store-record.ts";

const backend = z.strictObject({
    url: z.string(),
    /** Failure domain. @default the host */
    group: z.string().optional(),
    /** What is one disk. @default host and port */
    disk: z.string().optional(),
    weight: z.number().positive().default(1),
    allowUnsafe: z.boolean().default(false),
});

const file = z.strictObject({
    /** Seals the store record; whoever has it and one metadata url has everything. */
    secret: z.string().min(16),
    /** What the store may have been sealed with before: when it still is, it is sealed with `secret` instead. */
    previousSecrets: z.array(z.string()).default([]),
    /** Told by `status`, so that whoever wrote the file knows what runs. */
    revision: z.string().optional(),
    socket: z.string(),
    /** SQLite file that can be thrown away. */
    view: z.string(),
    metadata: z.array(z.string()).min(1),
    /** @default 3 of 4, 2 of 3, otherwise all but a third */
    writeQuorum: z.number().int().min(1).optional(),
    /** Without backends the store must exist, and is taken as it is. */
    backends: z.array(backend).optional(),
    dataShards: z.number().int().min(1).max(MAX_SHARDS).default(4),
    parityShards: z.number().int().min(1).max(MAX_SHARDS).default(2),
    redundantGroups: z.number().int().min(0).default(0),
    redundantNodes: z.number().int().min(0).default(0),
    minParity: z.number().int().min(0).default(1),
    compression: z.boolean().default(true),
    keepGenerations: z.number().int().min(1).default(1),
    deadAfterMs: z.number().int().min(0).default(DEAD_AFTER_MS),
    /** Every shard is compared once in this time; 0: only when asked. @default 30 days */
    scrubMs: z.number().int().min(0).default(SCRUB_MS),
    /** Keeps chunks that were read, sealed as they are, in a directory of at most that size. */
    cache: z.strictObject({ directory: z.string(), sizeBytes: z.number().int().min(CACHE_LEAST_BYTES) }).optional(),
});

export interface FrontEndConfig {
    readonly secret: string;
    readonly previousSecrets: readonly string[];
    readonly revision: string | undefined;
    readonly socket: string;
    readonly view: string;
    readonly metadata: readonly string[];
    readonly deadAfterMs: number;
    readonly scrubMs: number;
    readonly cache: { readonly directory: string; readonly sizeBytes: number } | undefined;
    readonly settings: StoreSettings;
    readonly writeQuorum: number;
    readonly backends: readonly WantedBackend[] | undefined;
}

export type WantedBackend = Omit<BackendConfig, "id" | "state">;

/** Reads the front end's configuration file, which others may not read: it has the secret. Complaints name the field, never its value. */
export function readConfig(path: string): FrontEndConfig {
    if ((statSync(path).mode & 0o077) !== 0)
        throw new StoreError("invalid", `${path} holds the secret and can be read by others: make it mode 0600`);
    return parseConfig(readFileSync(path, "utf8"), path);
}

export function parseConfig(text: string, path: string): FrontEndConfig {
    let json: unknown;
    try {
        json = JSON.parse(text);
    } catch {
        throw new StoreError("invalid", `${path} is no JSON`);
    }
    const parsed = file.safeParse(json);
    if (!parsed.success) {
        const words = parsed.error.issues.map(({ path: field, code, message }) => `${field.join(".") || code}: ${message}`);
        throw new StoreError("invalid", `${path}: ${words.join("; ")}`);
    }
    const { secret, previousSecrets, revision, scrubMs, cache, socket, view, metadata, writeQuorum, backends, deadAfterMs, ...settings } =
        parsed.data;
    if (settings.dataShards + settings.parityShards > MAX_SHARDS)
        throw new StoreError("invalid", `${path}: dataShards and parityShards are ${MAX_SHARDS} together at most`);
    if (settings.minParity > settings.parityShards) throw new StoreError("invalid", `${path}: minParity is at most parityShards`);
    for (const url of metadata) parseBackendUrl(url);
    refuseTwice(`${path}: metadata`, metadata);
    refuseTwice(`${path}: backends`, backends?.map(({ url }) => url) ?? []);
    refuseTwice(`${path}: metadata and backends together`, [...metadata, ...(backends?.map(({ url }) => url) ?? [])]);
    return {
        secret,
        previousSecrets,
        revision,
        scrubMs,
        cache,
        socket,
        view,
        metadata,
        deadAfterMs,
        settings,
        writeQuorum: writeQuorum ?? defaultQuorum(metadata.length),
        backends: backends?.map(wanted),
    };
}

/** Two that are one namespace would be lost together. */
function refuseTwice(field: string, urls: readonly string[]): void {
    const known = new Set<string>();
    for (const url of urls) {
        const identity = identityOf(url);
        if (known.has(identity)) throw new StoreError("invalid", `${field} has the namespace ${nameOfBackend(url)} twice: name it once`);
        known.add(identity);
    }
}

function wanted({ url, group, disk, weight, allowUnsafe }: z.infer<typeof backend>): WantedBackend {
    const { host, port } = parseBackendUrl(url);
    return { url, group: group ?? host, disk: disk ?? `${host}:${port}`, weight, allowUnsafe };
}

/** A store that does not exist yet. */
export function newStoreOf({ metadata, writeQuorum, settings, backends = [] }: FrontEndConfig): NewStore {
    return { metadata, writeQuorum, settings, backends: mergedBackends([], backends) };
}

/**
 * The backends of a store with those that are wanted now: known ones (same host, port and namespace) keep their number and take the new
 * credentials, new ones get the next, those that are not wanted any more are drained.
 */
export function mergedBackends(known: readonly BackendConfig[], wantedNow: readonly WantedBackend[]): BackendConfig[] {
    let last = known.reduce((most, { id }) => Math.max(most, id), 1);
    const merged: BackendConfig[] = wantedNow.map((backend) => {
        const same = known.find(({ url }) => identityOf(url) === identityOf(backend.url));
        return { ...backend, id: same?.id ?? ++last, state: "active" };
    });
    const left = known.filter(({ id }) => merged.every((backend) => backend.id !== id));
    return [...merged, ...left.map((backend): BackendConfig => ({ ...backend, state: "draining" }))].sort((a, b) => a.id - b.id);
}
