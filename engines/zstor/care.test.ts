import { describe, expect, test } from "vitest";
import { backendsOf, METADATA, MemoryStore, SECRET, SETTINGS } from "../../test/zstor/memory-store.ts";
import { type Backend, BackendError } from "./backend.ts";
import { REPAIR_AT_ONCE, SCRUB_AT_ONCE } from "./limits.ts";
import { openStore } from "./opening.ts";
import { statusOf } from "./status.ts";
import type { StoreParts } from "./store.ts";

const PROBED_MS = 10_000;
const HOUR_MS = 3_600_000;
/** Rounds of the caretaker in hours of virtual time would be all that these tests do. */
const DELAY_MS = 60_000;

async function opened(more: Partial<StoreParts> = {}) {
    const memory = new MemoryStore();
    await memory.create();
    const store = await memory.open(more);
    return { memory, store };
}

describe("the orphan sweep", () => {
    test("deletes what nothing has named for the delay, of this store only", async () => {
        const { memory, store } = await opened({ sweepDelayMs: DELAY_MS });
        await memory.put(store, "object", memory.random.bytes(600_000));
        const { values } = memory.backend(0);
        const writtenMs = memory.clock.nowMs();
        const orphan = Buffer.concat([store.keys.prefix, Buffer.from("00000001", "hex"), memory.random.bytes(16)]).toString("latin1");
        const foreign = Buffer.concat([Buffer.alloc(8, 1), Buffer.from("00000001", "hex"), memory.random.bytes(16)]).toString("latin1");
        const later = Buffer.concat([store.keys.prefix, Buffer.from("7fffffff", "hex"), memory.random.bytes(16)]).toString("latin1");
        const before = values.size;
        for (const key of [orphan, foreign, later]) values.set(key, { value: Buffer.from("x"), writtenMs });
        expect(await memory.clock.run(store.caretaker.sweep())).toMatchObject({ orphans: 1, deleted: 0 });
        expect(values.size).toBe(before + 3);
        await memory.clock.pass(2 * DELAY_MS);
        expect(await memory.clock.run(store.caretaker.sweep())).toMatchObject({ orphans: 1, deleted: 1, unseen: [] });
        expect([values.has(orphan), values.has(foreign), values.has(later)]).toEqual([false, true, true]);
        expect(values.size).toBe(before + 2);
    });

    test("does nothing by itself after a recovery until somebody says so", async () => {
        const { memory, store } = await opened({ sweepDelayMs: DELAY_MS });
        expect(store.caretaker.sweepsByItself).toBe(false);
        await memory.clock.run(store.caretaker.sweep());
        expect(store.caretaker.sweepsByItself).toBe(true);
    });

    test("refuses to judge with a view that another front end has left behind", async () => {
        const { memory, store } = await opened();
        await memory.open();
        await expect(memory.clock.run(store.caretaker.sweep())).rejects.toMatchObject({ failure: "superseded" });
    });
});

test("a front end that does not know what became of its last batch does not judge, and takes nothing back from its successor", async () => {
    const { memory, store } = await opened({ sweepDelayMs: DELAY_MS });
    for (const index of [1, 2, 3]) memory.replica(index).loss = 1;
    await expect(memory.put(store, "object", Buffer.from("content"))).rejects.toMatchObject({ failure: "no-quorum" });
    for (const index of [1, 2, 3]) memory.replica(index).loss = 0;
    memory.replica(3).isDown = true;
    const successor = await memory.open();
    expect((await memory.get(successor, "object")).toString()).toBe("content");
    await expect(memory.clock.run(store.caretaker.sweep())).rejects.toMatchObject({ failure: "superseded" });
    await expect(memory.put(store, "object", Buffer.from("taken back"))).rejects.toMatchObject({ failure: "superseded" });
    await memory.clock.pass(2 * DELAY_MS);
    await memory.put(successor, "other", Buffer.from("still the writer"));
    expect((await memory.get(successor, "object")).toString()).toBe("content");
});

test("what was stored while a group was away is spread over it when it is back, as the policy wants", async () => {
    const memory = new MemoryStore();
    await memory.create({ backends: backendsOf(9, 3), settings: { ...SETTINGS, redundantGroups: 1 } });
    for (const index of [0, 3, 6]) memory.backend(index).isDown = true;
    const store = await memory.open();
    const content = memory.random.bytes(600_000);
    await memory.put(store, "object", content);
    expect(statusOf(store)).toMatchObject({ outOfPolicy: 1, owed: 0, spare: { 2: 1 } });
    for (const index of [0, 3, 6]) memory.backend(index).isDown = false;
    await memory.clock.pass(2 * PROBED_MS);
    expect(statusOf(store)).toMatchObject({ outOfPolicy: 1, owed: 1 });
    await memory.clock.run(store.caretaker.round());
    expect(statusOf(store)).toMatchObject({ outOfPolicy: 0, owed: 0, repairedShards: 2 });
    for (const index of [1, 4, 7]) memory.backend(index).isDown = true;
    await memory.clock.pass(2 * PROBED_MS);
    expect((await memory.get(store, "object")).equals(content)).toBe(true);
});

test("a deletion that a backend carries out late does not hit a shard that has come back to it", async () => {
    const memory = new MemoryStore();
    await memory.create();
    const late: (() => Promise<void>)[] = [];
    const connect = (url: string): Backend => {
        const backend = memory.network.connect(url);
        if (!url.startsWith("memory://d")) return backend;
        return {
            ...backend,
            delete(key) {
                late.push(() => backend.delete(key));
                return Promise.reject(new BackendError("late", "no answer"));
            },
        };
    };
    const store = await memory.open({ connect });
    const content = memory.random.bytes(600_000);
    await memory.put(store, "object", content);
    const drain = async (drained: number) => {
        const backends = store.config.backends.map((backend) => ({
            ...backend,
            state: backend.id === drained ? ("draining" as const) : ("active" as const),
        }));
        await memory.clock.run(store.reconfigure({ backends }));
        await memory.clock.run(store.caretaker.round());
    };
    const places = () => [...store.view.everyStripe()].flatMap(({ layout }) => store.view.layout(layout)?.backends ?? []);
    const spare = store.config.backends.find(({ id }) => !places().includes(id))?.id ?? 0;
    const [first = 0] = places();
    await drain(first);
    expect(places()[0]).toBe(spare);
    await drain(spare);
    expect(places()[0]).toBe(first);
    expect(late.length).toBeGreaterThan(1);
    await memory.clock.run(Promise.all(late.map((carryOut) => carryOut())));
    expect(await memory.clock.run(store.caretaker.scrub())).toMatchObject({ stripes: 1, badShards: 0 });
    expect((await memory.get(store, "object")).equals(content)).toBe(true);
});

test("a scrub finds bit rot that no read has met, and repairs it", async () => {
    const { memory, store } = await opened();
    await memory.put(store, "object", memory.random.bytes(600_000));
    const rotten = [0, 1, 2, 3, 4, 5, 6].find((index) => memory.backend(index).values.size > 0) ?? 0;
    const { values } = memory.backend(rotten);
    for (const [key, { value, writtenMs }] of values) values.set(key, { value: Buffer.from(value).fill(0, 0, 1), writtenMs });
    expect(await memory.clock.run(store.caretaker.scrub())).toMatchObject({ stripes: 1, badShards: 1 });
    expect(await memory.clock.run(store.caretaker.scrub())).toMatchObject({ stripes: 1, badShards: 0 });
});

describe("a shard that its backend has and cannot read any more", () => {
    /** Of the first backend, whatever is there now; it answers as a Zero-DB whose checksum is wrong. */
    async function withDamage() {
        const memory = new MemoryStore();
        await memory.create();
        const damaged = new Set<string>();
        let state = "ok";
        const connect = (url: string): Backend => {
            const backend = memory.network.connect(url);
            if (url !== "memory://d0") return backend;
            const textOf = (key: Uint8Array) => Buffer.from(key).toString("latin1");
            return {
                ...backend,
                get: (key) => (damaged.has(textOf(key)) ? Promise.reject(new BackendError("damaged", "Internal Error")) : backend.get(key)),
                async set(key, value) {
                    if (state !== "ok") throw new BackendError("refused", `it is ${state}`);
                    await backend.set(key, value);
                    damaged.delete(textOf(key));
                },
                info: async () => ({ ...(await backend.info()), state }),
            };
        };
        const store = await memory.open({ connect });
        const contents = Array.from({ length: 7 }, () => memory.random.bytes(600_000));
        for (const [index, content] of contents.entries()) await memory.put(store, `object ${index}`, content);
        for (const key of memory.backend(0).values.keys()) damaged.add(key);
        expect(damaged.size).toBeGreaterThan(3);
        const lock = () => {
            state = "locked";
        };
        return { memory, store, contents, damaged, lock };
    }

    test("is made again by a scrub, and costs its backend nothing else", async () => {
        const { memory, store, damaged } = await withDamage();
        const count = damaged.size;
        expect(await memory.clock.run(store.caretaker.scrub())).toMatchObject({ stripes: 7, badShards: count });
        expect(damaged.size).toBe(0);
        expect(store.pool.member(2)?.breaker.openings).toBe(0);
        expect(await memory.clock.run(store.caretaker.scrub())).toMatchObject({ stripes: 7, badShards: 0 });
    });

    test("is made again after a read that met it, elsewhere when nothing can be written there", async () => {
        const { memory, store, contents, damaged, lock } = await withDamage();
        const count = damaged.size;
        lock();
        await memory.clock.pass(2 * PROBED_MS);
        for (const [index, content] of contents.entries()) expect((await memory.get(store, `object ${index}`)).equals(content)).toBe(true);
        await memory.clock.run(store.caretaker.scrub());
        expect(statusOf(store).repairedShards).toBe(count);
        const places = [...store.view.stripeCounts().keys()].flatMap((layout) => store.view.layout(layout)?.backends ?? []);
        expect(places).not.toContain(2);
        for (const [index, content] of contents.entries()) expect((await memory.get(store, `object ${index}`)).equals(content)).toBe(true);
    });
});

test("what is owed is repaired at once while nobody puts or gets, and a share at a time otherwise", async () => {
    const { memory, store } = await opened({ deadAfterMs: 1 });
    const objects = 8 * REPAIR_AT_ONCE;
    for (let index = 0; index < objects; index++) await memory.put(store, `object ${index}`, memory.random.bytes(1000));
    memory.backend(0).isDown = true;
    await memory.clock.pass(2 * PROBED_MS);
    const [, most = 0] = [...store.view.stripeCounts()].reduce((kept, next) => {
        const isOwed = store.view.layout(next[0])?.backends.includes(2);
        return isOwed && next[1] > kept[1] ? next : kept;
    });
    const { owed } = statusOf(store);
    expect(most).toBeGreaterThan(REPAIR_AT_ONCE);
    const { bytes } = await store.get("object 0");
    const reader = bytes[Symbol.asyncIterator]();
    await memory.clock.run(reader.next());
    await memory.clock.run(store.caretaker.round());
    expect(statusOf(store).owed).toBeLessThan(owed);
    expect(statusOf(store).owed).toBeGreaterThanOrEqual(most - REPAIR_AT_ONCE);
    await reader.return?.();
    await memory.clock.run(store.caretaker.round());
    expect(statusOf(store)).toMatchObject({ owed: 0, repairedShards: owed });
});

test("a repair does not wait for the end of a scrub that somebody asked for", async () => {
    const { memory, store } = await opened();
    const stripes = 2 * SCRUB_AT_ONCE + 1;
    for (let index = 0; index < stripes; index++) await memory.put(store, `object ${index}`, memory.random.bytes(1000));
    let isOver = false;
    const scrub = store.caretaker.scrub().finally(() => {
        isOver = true;
    });
    await memory.clock.run(store.caretaker.round());
    expect(isOver).toBe(false);
    expect(await memory.clock.run(scrub)).toMatchObject({ stripes, badShards: 0 });
});

test("a scheduled scrub reads everything once in its interval", async () => {
    const { memory, store } = await opened({ scrubMs: HOUR_MS / 4 });
    for (let index = 0; index < 5; index++) await memory.put(store, `object ${index}`, memory.random.bytes(1000));
    store.caretaker.start();
    await memory.clock.pass(HOUR_MS / 2);
    expect(store.caretaker.scrubber.lastPassMs).toBeDefined();
    expect(store.caretaker.scrubber.checkedStripes).toBeLessThan(15);
    await memory.clock.run(store.close());
});

test("a front end that writes nothing notices that another has taken over", async () => {
    const { memory, store } = await opened();
    store.caretaker.start();
    await memory.open();
    expect(await memory.clock.run(store.journal.ending)).toMatchObject({ failure: "superseded" });
});

test("after its rotation the old secret opens nothing, the new one everything", async () => {
    const { memory, store } = await opened();
    await memory.put(store, "object", Buffer.from("content"));
    await memory.clock.run(store.rotateSecret("another secret"));
    await memory.clock.run(store.caretaker.round());
    for (const [index] of METADATA.entries())
        expect([...memory.replica(index).values.keys()].filter((key) => key.startsWith("s"))).toHaveLength(1);
    await memory.clock.run(store.close());
    await expect(memory.clock.run(openStore(memory.parts(), SECRET, METADATA))).rejects.toThrow(
        "the secret opens none of the store records",
    );
    const again = await memory.clock.run(openStore(memory.parts(), "another secret", ["memory://m2"]));
    expect((await memory.get(again, "object")).toString()).toBe("content");
});

test("rotating the wrapping key wraps all data keys anew and reads no data", async () => {
    const { memory, store } = await opened();
    await memory.put(store, "object", Buffer.from("content"));
    const before = store.view.current("object");
    await memory.clock.run(store.rotateWrapping());
    await memory.put(store, "new", Buffer.from("wrapped with the new one"));
    for (let index = 0; index < 7; index++) memory.backend(index).isDown = true;
    await memory.clock.run(store.caretaker.round());
    expect(store.view.wrappedOtherwiseAfter("", 2, 10).due).toEqual([]);
    expect(store.view.current("object")?.wrappedKey).not.toEqual(before?.wrappedKey);
    for (let index = 0; index < 7; index++) memory.backend(index).isDown = false;
    expect((await memory.get(store, "object")).toString()).toBe("content");
    expect((await memory.get(store, "new")).toString()).toBe("wrapped with the new one");
});

test("a rebalance brings an added backend its share, holds the policy, and changes no byte", async () => {
    const memory = new MemoryStore();
    await memory.create({ backends: backendsOf(7, 7), settings: { ...SETTINGS, redundantGroups: 2 } });
    const store = await memory.open();
    const contents = Array.from({ length: 60 }, () => memory.random.bytes(2000));
    for (const [index, content] of contents.entries()) await memory.put(store, `object ${index}`, content);
    const held = () => [0, 1, 2, 3, 4, 5, 6, 7].map((index) => memory.backend(index).usedBytes);
    await memory.clock.run(store.reconfigure({ backends: backendsOf(8, 8) }));
    expect(held()[7]).toBe(0);
    const { isRunning, movedShards } = await memory.clock.run(store.caretaker.rebalance());
    expect([isRunning, movedShards]).toEqual([true, 16]);
    await memory.clock.run(store.caretaker.round());
    expect(statusOf(store)).toMatchObject({ outOfPolicy: 0, owed: 0, rebalance: { isRunning: false, checkedStripes: 60 } });
    // No two differ by more than a stripe's shard, which is the least that can be moved.
    expect(Math.max(...held()) - Math.min(...held())).toBeLessThanOrEqual(2 * 2100);
    expect(await memory.clock.run(store.caretaker.scrub())).toMatchObject({ badShards: 0 });
    for (const [index, content] of contents.entries()) expect((await memory.get(store, `object ${index}`)).equals(content)).toBe(true);
    const movedSoFar = statusOf(store).rebalance?.movedShards;
    expect(await memory.clock.run(store.caretaker.rebalance())).toMatchObject({ movedShards: 0 });
    expect(movedSoFar).toBeGreaterThanOrEqual(16);
});
