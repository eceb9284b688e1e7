import { hashOf } from "../../engines/zstor/batch.ts";
import { openMembership } from "../../engines/zstor/membership.ts";
import { EMPTY, MISSING } from "../../engines/zstor/record.ts";
import type { Store } from "../../engines/zstor/store.ts";
import { liveOf } from "./marks.ts";
import type { MemoryStore } from "./memory-store.ts";

/** Once all is well and some time has passed, exactly the shards that the metadata name are there, each where they say. */
export function verifyShards(store: Store, memory: MemoryStore, backends: number): void {
    const named = new Set<string>();
    for (const { id, layout, refs } of store.view.everyStripe()) {
        if (refs === 0) throw new Error(`stripe ${id} was not freed`);
        const { backends: places = [], moves = [] } = store.view.layout(layout) ?? {};
        for (const [index, backend] of places.entries()) {
            if (backend === MISSING) throw new Error(`shard ${index} of stripe ${id} has no place: ${memory.lines.slice(-3).join(" | ")}`);
            if (backend !== EMPTY) named.add(`${backend} ${store.keys.shardKey(id, index, moves[index] ?? 0).toString("hex")}`);
        }
    }
    for (let index = 0; index < backends; index++) {
        for (const key of memory.backend(index).values.keys()) {
            const shard = `${index + 2} ${Buffer.from(key, "latin1").toString("hex")}`;
            if (!named.delete(shard)) throw new Error(`backend ${index} holds a shard that nothing names`);
        }
    }
    if (named.size > 0) throw new Error(`${named.size} shards are not where the metadata say`);
}

/** The metadata are where they are wanted, and every replica has everything. */
export function verifyReplicas(store: Store, memory: MemoryStore, wanted: readonly string[]): void {
    const { metadata, previous } = store.config;
    if (previous !== undefined || [...metadata].sort().join() !== [...wanted].sort().join())
        throw new Error(
            `the metadata are on ${metadata}, wanted on ${wanted}: ${store.exchange.progress?.why ?? memory.lines.slice(-3).join(" | ")}`,
        );
    for (const { url, counts, isBehind } of store.replicas.members)
        if (!counts || isBehind) throw new Error(`metadata replica ${url} is not whole: ${memory.lines.slice(-3).join(" | ")}`);
    for (const url of wanted) verifyMember(store, memory, url);
}

/** All that the chain in force names is there, byte for byte, and the mark that says so. */
function verifyMember(store: Store, memory: MemoryStore, url: string): void {
    const { values } = memory.network.namespace(url);
    const live = liveOf(store);
    if (live === undefined) throw new Error("the journal is not in force");
    for (const [key, hash] of live) {
        const there = values.get(key);
        if (there === undefined || !hashOf(there.value).equals(hash))
            throw new Error(`${url} has ${there ? "another value" : "nothing"} under ${Buffer.from(key, "latin1").toString("hex")}`);
    }
    const mark = openMembership(store.keys, Buffer.from(store.config.storeId, "hex"), values.get("member")?.value ?? Buffer.alloc(0));
    if (mark?.standing !== "member") throw new Error(`${url} has no mark of a member`);
}

/** What was taken out and told so is empty but for what came late. */
export function verifyRemoved(store: Store, memory: MemoryStore, wanted: readonly string[]): void {
    const untold = (store.config.removed ?? []).map(({ url }) => url);
    for (const [url, { values }] of memory.network.namespaces) {
        if (url.startsWith("memory://d") || wanted.includes(url)) continue;
        if (untold.includes(url)) throw new Error(`${url} was taken out and not told: ${memory.lines.slice(-3).join(" | ")}`);
        const toldMs = values.get("member")?.writtenMs ?? Number.POSITIVE_INFINITY;
        const left = [...values].filter(([key, { writtenMs }]) => key !== "member" && writtenMs <= toldMs);
        if (left.length > 0) throw new Error(`${url} was taken out and holds ${left.length} values from before`);
    }
}
