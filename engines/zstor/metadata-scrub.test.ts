import { describe, expect, test } from "vitest";
import type { MemoryNamespace } from "../../test/zstor/memory-network.ts";
import { METADATA, MemoryStore } from "../../test/zstor/memory-store.ts";
import { type Backend, BackendError } from "./backend.ts";
import { parseKey } from "./metadata-key.ts";
import type { StoreParts } from "./store.ts";

const HOUR_MS = 3_600_000;
const KINDS = ["batch", "page", "store"] as const;

async function opened(more: Partial<StoreParts> = {}) {
    const memory = new MemoryStore();
    await memory.create();
    return { memory, store: await memory.open(more) };
}

describe("values of the metadata", () => {
    test("that have rotted are found by a scrub and written again from another replica, whatever they are", async () => {
        const { memory, store } = await opened({ snapshotBytes: 4000 });
        for (let index = 0; index < 20; index++) await memory.put(store, `object ${index}`, memory.random.bytes(1000));
        await memory.clock.run(store.caretaker.round());
        const rotten = KINDS.map((kind, index) => {
            const replica = memory.replica(index);
            const key = keysOfKind(replica, kind).at(-1) ?? "";
            return { replica, key, value: rot(replica, key) };
        });
        const { values, badValues } = await memory.clock.run(store.caretaker.scrub());
        expect(badValues).toBe(3);
        expect(values % METADATA.length).toBe(0);
        for (const { replica, key, value } of rotten) expect(replica.values.get(key)?.value.equals(value)).toBe(true);
        expect(await memory.clock.run(store.caretaker.scrub())).toMatchObject({ values, badValues: 0 });
        // With what would have been one too many lost otherwise.
        memory.replica(3).isDown = true;
        await memory.clock.run(store.close());
        expect((await memory.open()).list("")).toHaveLength(20);
    });

    test("that cannot be read any more are written again, and what was wrong on its way only is not", async () => {
        const memory = new MemoryStore();
        await memory.create();
        const writes: string[] = [];
        const asked = new Set<string>();
        const damaged = new Set<string>();
        let isWrong = false;
        const connect = (url: string): Backend => {
            const backend = memory.network.connect(url);
            if (url !== METADATA[1]) return backend;
            return {
                ...backend,
                async get(key) {
                    const text = Buffer.from(key).toString("latin1");
                    if (damaged.has(text)) throw new BackendError("damaged", "Internal Error");
                    const value = await backend.get(key);
                    if (!isWrong || asked.has(text) || parseKey(Buffer.from(key))?.kind !== "batch") return value;
                    asked.add(text);
                    return Buffer.alloc(5);
                },
                set(key, value) {
                    const text = Buffer.from(key).toString("latin1");
                    writes.push(text);
                    damaged.delete(text);
                    return backend.set(key, value);
                },
            };
        };
        const store = await memory.open({ connect });
        await memory.put(store, "object", memory.random.bytes(1000));
        isWrong = true;
        writes.length = 0;
        expect(await memory.clock.run(store.caretaker.scrub())).toMatchObject({ badValues: 0 });
        expect([asked.size > 0, writes]).toEqual([true, []]);
        const [batch = ""] = asked;
        damaged.add(batch);
        expect(await memory.clock.run(store.caretaker.scrub())).toMatchObject({ badValues: 1 });
        expect(writes).toEqual([batch]);
    });

    test("that no other replica has right are told of and keep nothing else from being compared", async () => {
        const { memory, store } = await opened();
        await memory.put(store, "object", memory.random.bytes(1000));
        const [key = ""] = keysOfKind(memory.replica(0), "batch");
        for (const index of METADATA.keys()) rot(memory.replica(index), key);
        const first = await memory.clock.run(store.caretaker.scrub());
        expect(first.badValues).toBe(METADATA.length);
        expect(memory.lines.filter((line) => line.includes("no other metadata replica"))).toHaveLength(METADATA.length);
        expect((await memory.clock.run(store.caretaker.scrub())).values).toBe(first.values);
    });

    test("that cannot be compared now keep no shard from being made right", async () => {
        const { memory, store } = await opened();
        await memory.put(store, "object", memory.random.bytes(600_000));
        const backend = [0, 1, 2, 3, 4, 5, 6].map((index) => memory.backend(index)).find(({ values }) => values.size > 0);
        const [key = ""] = backend?.values.keys() ?? [];
        const shard = backend && rot(backend, key);
        for (const index of [2, 3]) memory.replica(index).isDown = true;
        await expect(memory.clock.run(store.caretaker.scrub())).rejects.toMatchObject({ failure: "no-quorum" });
        expect(shard && backend?.values.get(key)?.value.equals(shard)).toBe(true);
    });

    test("are all compared once in the interval by themselves", async () => {
        const { memory, store } = await opened({ scrubMs: HOUR_MS / 4 });
        await memory.put(store, "object", memory.random.bytes(1000));
        const [key = ""] = keysOfKind(memory.replica(2), "batch");
        const value = rot(memory.replica(2), key);
        store.caretaker.start();
        await memory.clock.pass(HOUR_MS / 2);
        expect(memory.replica(2).values.get(key)?.value.equals(value)).toBe(true);
        expect(store.caretaker.metadataScrubber.foundBad).toBe(1);
        await memory.clock.run(store.close());
    });
});

function keysOfKind({ values }: MemoryNamespace, kind: (typeof KINDS)[number]): string[] {
    return [...values.keys()].filter((key) => parseKey(Buffer.from(key, "latin1"))?.kind === kind);
}

/** Turns a bit in the middle; gives the value as it was. */
function rot({ values }: MemoryNamespace, key: string): Buffer {
    const kept = values.get(key);
    if (kept === undefined) throw new Error("there is no such value");
    const value = Buffer.from(kept.value);
    value.writeUInt8(value.readUInt8(value.length >> 1) ^ 1, value.length >> 1);
    values.set(key, { ...kept, value });
    return kept.value;
}
