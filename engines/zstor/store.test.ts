import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { backendsOf, MemoryStore, SETTINGS } from "../../test/zstor/memory-store.ts";
import { StoreError } from "./object-api.ts";
import { openStore } from "./opening.ts";

/** By then every backend has been asked how it is. */
const PROBED_MS = 10_000;

async function opened(seed = 1) {
    const memory = new MemoryStore(seed);
    await memory.create();
    return { memory, store: await memory.open() };
}

describe("objects", () => {
    test.each([0, 1, 4096, 131_072, 131_073, 1_000_000, 5_000_001])("of %i bytes come back, whole and in parts", async (size) => {
        const { memory, store } = await opened();
        const content = memory.random.bytes(size);
        await memory.put(store, "dir/object", content);
        expect((await memory.get(store, "dir/object")).equals(content)).toBe(true);
        for (const [offset, length] of [
            [0, 1],
            [size >> 1, 200_000],
            [Math.max(0, size - 5), 10],
            [size, 3],
        ] as const)
            expect((await memory.get(store, "dir/object", offset, length)).equals(content.subarray(offset, offset + length))).toBe(true);
    });

    test("are listed by name, have a history, and go", async () => {
        const { memory, store } = await opened();
        for (const name of ["b", "a/2", "a/1", "ab", "a/é", "c"]) await memory.put(store, name, Buffer.from(name));
        await memory.put(store, "b", Buffer.from("again"));
        expect(store.list("a/").map(({ name }) => name)).toEqual(["a/1", "a/2", "a/é"]);
        expect(store.list("", "ab").map(({ name }) => name)).toEqual(["b", "c"]);
        expect(store.history("b").map(({ generation }) => generation)).toEqual([2, 1]);
        expect(await memory.clock.run(store.remove("b"))).toBe(true);
        expect(await memory.clock.run(store.remove("b"))).toBe(false);
        expect(store.stat("b")).toBeUndefined();
        await expect(memory.get(store, "b")).rejects.toMatchObject({ failure: "not-found" });
    });

    test("put at once share stripes", async () => {
        const { memory, store } = await opened();
        const contents = Array.from({ length: 100 }, () => memory.random.bytes(1000));
        await memory.clock.run(Promise.all(contents.map((content, index) => store.put(`o${index}`, [content] as never))));
        expect(store.view.totals().stripes).toBeLessThan(20);
        for (const [index, content] of contents.entries()) expect((await memory.get(store, `o${index}`)).equals(content)).toBe(true);
    });
});

describe("losses", () => {
    test("any two backends and one metadata replica may be gone", async () => {
        const { memory, store } = await opened();
        const content = memory.random.bytes(3_000_000);
        await memory.put(store, "object", content);
        for (const [a, b] of [
            [0, 1],
            [2, 5],
            [3, 6],
        ] as const) {
            for (const index of [0, 1, 2, 3, 4, 5, 6]) memory.backend(index).isDown = index === a || index === b;
            await memory.clock.pass(PROBED_MS);
            expect((await memory.get(store, "object")).equals(content)).toBe(true);
        }
        memory.replica(2).isDown = true;
        await memory.put(store, "other", Buffer.from("written without one replica"));
        expect((await memory.get(store, "other")).toString()).toBe("written without one replica");
    });

    test("with three gone it says which shards are missing", async () => {
        const { memory, store } = await opened();
        await memory.put(store, "object", memory.random.bytes(3_000_000));
        for (const index of [0, 1, 2, 3]) memory.backend(index).isDown = true;
        await expect(memory.get(store, "object")).rejects.toThrow(/shards of stripe .* can be had and 4 are needed .*connection refused/);
    });

    test("an empty front end recovers from the secret and one metadata url", async () => {
        const { memory, store } = await opened();
        const content = memory.random.bytes(700_000);
        await memory.put(store, "object", content);
        await memory.clock.run(store.close());
        const again = await memory.open({}, ["memory://m3"]);
        expect((await memory.get(again, "object")).equals(content)).toBe(true);
    });

    test("damaged shards are noticed, replaced by parity, and written anew", async () => {
        const { memory, store } = await opened();
        const content = memory.random.bytes(3_000_000);
        await memory.put(store, "object", content);
        for (const [key, { writtenMs }] of memory.backend(0).values)
            memory.backend(0).values.set(key, { value: Buffer.alloc(100), writtenMs });
        expect((await memory.get(store, "object")).equals(content)).toBe(true);
        await memory.clock.run(store.caretaker.round());
        for (const index of [1, 2]) memory.backend(index).isDown = true;
        expect((await memory.get(store, "object")).equals(content)).toBe(true);
    });

    test("a degraded write is debt that is repaired when there is room again", async () => {
        const memory = new MemoryStore();
        await memory.create({ backends: backendsOf(6) });
        memory.backend(5).isDown = true;
        const store = await memory.open();
        const content = memory.random.bytes(3_000_000);
        await memory.put(store, "object", content);
        memory.backend(4).isDown = true;
        await expect(memory.put(store, "too few", content)).rejects.toMatchObject({ failure: "no-room" });
        memory.backend(4).isDown = false;
        memory.backend(5).isDown = false;
        await memory.clock.pass(PROBED_MS);
        await memory.clock.run(store.caretaker.round());
        for (const index of [0, 1]) memory.backend(index).isDown = true;
        expect((await memory.get(store, "object")).equals(content)).toBe(true);
    });

    test("a dead backend's shards are made again on a spare one", async () => {
        const { memory, store } = await opened();
        const content = memory.random.bytes(5_000_000);
        await memory.put(store, "object", content);
        const gone = [0, 1, 2, 3, 4, 5, 6].find((index) => memory.backend(index).values.size > 0) ?? 0;
        memory.backend(gone).isDown = true;
        store.caretaker.start();
        await memory.clock.pass(15 * 60_000);
        for (const index of [gone + 1, gone + 2]) memory.backend(index % 7).isDown = true;
        expect((await memory.get(store, "object")).equals(content)).toBe(true);
    });
});

describe("one writer", () => {
    test("the front end that comes later wins, the other one is told", async () => {
        const { memory, store } = await opened();
        await memory.put(store, "object", Buffer.from("first"));
        const later = await memory.open();
        await expect(memory.put(store, "object", Buffer.from("second"))).rejects.toMatchObject({ failure: "superseded" });
        await memory.put(later, "object", Buffer.from("third"));
        expect((await memory.get(later, "object")).toString()).toBe("third");
    });

    test("metadata that were put back are refused by a front end that has seen more", async () => {
        const memory = new MemoryStore();
        await memory.create();
        const viewPath = `${temporaryDirectory()}/view`;
        const store = await memory.open({ viewPath });
        const old = [0, 1, 2, 3].map((index) => new Map(memory.replica(index).values));
        await memory.put(store, "object", Buffer.from("x"));
        await memory.clock.run(store.close());
        for (const [index, values] of old.entries()) {
            memory.replica(index).values.clear();
            for (const [key, value] of values) memory.replica(index).values.set(key, value);
        }
        await expect(memory.open({ viewPath })).rejects.toMatchObject({ failure: "rolled-back" });
    });

    test("a wrong secret opens nothing", async () => {
        const { memory } = await opened();
        await expect(memory.clock.run(openStore(memory.parts(), "wrong", ["memory://m1"]))).rejects.toThrow(StoreError);
    });
});

test("space comes back: replaced and removed objects leave no shard behind", async () => {
    const { memory, store } = await opened();
    for (let round = 0; round < 3; round++) await memory.put(store, "object", memory.random.bytes(2_000_000));
    await memory.clock.run(store.remove("object"));
    await memory.clock.run(store.caretaker.round());
    for (let index = 0; index < 7; index++) expect(memory.backend(index).values.size).toBe(0);
    expect(store.view.totals()).toMatchObject({ objects: 0, stripes: 0 });
});

test("a snapshot stands for the journal before it, which goes", async () => {
    const memory = new MemoryStore();
    await memory.create({ settings: { ...SETTINGS, keepGenerations: 2 } });
    const store = await memory.open({ snapshotBytes: 2000 });
    for (let round = 0; round < 40; round++) await memory.put(store, `object ${round % 7}`, Buffer.from(`round ${round}`));
    await memory.clock.run(store.caretaker.round());
    for (let index = 0; index < 4; index++) expect(memory.replica(index).values.size).toBeLessThan(30);
    await memory.clock.run(store.close());
    const again = await memory.open();
    for (let index = 0; index < 7; index++)
        expect((await memory.get(again, `object ${index}`)).toString()).toBe(`round ${index + (index <= 4 ? 35 : 28)}`);
    expect(again.history("object 0")).toHaveLength(2);
});
