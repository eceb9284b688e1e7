import { describe, expect, test } from "vitest";
import { backendsOf, METADATA, MemoryStore, SETTINGS } from "../../test/zstor/memory-store.ts";
import type { NewStore } from "./opening.ts";
import type { Replica } from "./replicas.ts";

const PROBED_MS = 10_000;
const DEAD_MS = 15 * 60_000;

async function opened(setup: Partial<NewStore> = {}) {
    const memory = new MemoryStore();
    await memory.create(setup);
    return { memory, store: await memory.open() };
}

/** What lost or blocked data in the existing zstor, one test each. */
describe("a defect of the existing zstor is none here:", () => {
    test("objects stay readable when K and M are changed and their backends die (1)", async () => {
        const { memory, store } = await opened({ backends: backendsOf(9) });
        const content = memory.random.bytes(900_000);
        await memory.put(store, "old", content);
        await memory.clock.run(store.reconfigure({ settings: { ...SETTINGS, dataShards: 2, parityShards: 1 } }));
        await memory.put(store, "new", content);
        for (const index of [0, 1]) memory.backend(index).isDown = true;
        await memory.clock.pass(DEAD_MS);
        await memory.clock.run(store.caretaker.round());
        for (const index of [2, 3]) memory.backend(index).isDown = true;
        await memory.clock.pass(PROBED_MS);
        expect((await memory.get(store, "old")).equals(content)).toBe(true);
    });

    test("metadata that were written by half are old or new, and stay what they were found to be (2)", async () => {
        const { memory, store } = await opened();
        await memory.put(store, "object", Buffer.from("old"));
        for (const index of [1, 2, 3]) memory.replica(index).loss = 1;
        await expect(memory.put(store, "object", Buffer.from("new"))).rejects.toMatchObject({ failure: "no-quorum" });
        for (const index of [1, 2, 3]) memory.replica(index).loss = 0;
        // The second front end sees the replica that has it; the third one does not.
        memory.replica(3).isDown = true;
        const second = await memory.open();
        const found = (await memory.get(second, "object")).toString();
        expect(found).toBe("new");
        memory.replica(3).isDown = false;
        memory.replica(0).isDown = true;
        const third = await memory.open();
        expect((await memory.get(third, "object")).toString()).toBe(found);
    });

    test("damaged metadata on one replica end nothing (3, 4)", async () => {
        const { memory, store } = await opened();
        await memory.put(store, "object", Buffer.from("content"));
        for (const damaged of [Buffer.alloc(0), Buffer.alloc(7, 1), memory.random.bytes(300)]) {
            const { values } = memory.replica(1);
            for (const [key, { writtenMs }] of values) values.set(key, { value: damaged, writtenMs });
            const again = await memory.open();
            expect((await memory.get(again, "object")).toString()).toBe("content");
        }
    });

    test("a metadata replica that comes back empty gets all of it, over many pages of keys (5)", async () => {
        const { memory, store } = await opened();
        for (let index = 0; index < 120; index++) await memory.put(store, `object ${index}`, Buffer.from(`${index}`));
        memory.replica(0).values.clear();
        store.replicas.noticeLoss(store.replicas.members[0] as Replica);
        await memory.clock.run(store.caretaker.round());
        expect(memory.replica(0).values.size).toBeGreaterThan(120);
        for (const key of memory.replica(3).values.keys()) expect(key === "epoch" || memory.replica(0).values.has(key)).toBe(true);
    });

    test("an outage does not stop writes, and they are made whole later, also by another front end (6, 8)", async () => {
        const memory = new MemoryStore();
        await memory.create({ backends: backendsOf(6) });
        memory.backend(0).isDown = true;
        const store = await memory.open();
        const content = memory.random.bytes(900_000);
        await memory.put(store, "object", content);
        memory.backend(0).isDown = false;
        // Never closed, its view is gone: what is owed is in the metadata.
        const another = await memory.open();
        await memory.clock.run(another.caretaker.round());
        for (const index of [1, 2]) memory.backend(index).isDown = true;
        await memory.clock.pass(PROBED_MS);
        expect((await memory.get(another, "object")).equals(content)).toBe(true);
    });

    test("a restore that cannot be whole ends with an error, never with fewer bytes (10)", async () => {
        const { memory, store } = await opened();
        await memory.put(store, "object", memory.random.bytes(5_000_000));
        const last = store.view.extents(store.keys.objectId("object"), 1, 38, 38)[0]?.stripe;
        if (last === undefined) throw new Error("no stripe");
        for (let index = 0; index < 6; index++)
            for (let backend = 0; backend < 7; backend++)
                memory.backend(backend).values.delete(store.keys.shardKey(last, index, 0).toString("latin1"));
        await expect(memory.get(store, "object")).rejects.toMatchObject({ failure: "lost" });
    });

    test("what is stored is read once (11)", async () => {
        const { memory, store } = await opened();
        let readings = 0;
        const content = {
            async *[Symbol.asyncIterator]() {
                readings++;
                yield memory.random.bytes(500_000);
            },
        };
        await memory.clock.run(store.put("object", content));
        expect(readings).toBe(1);
    });

    test("a repair writes the shards that are gone and no others, and keeps to the policy (13)", async () => {
        const groups = { backends: backendsOf(9, 3), settings: { ...SETTINGS, redundantGroups: 1 } };
        const { memory, store } = await opened(groups);
        await memory.put(store, "object", memory.random.bytes(900_000));
        const before = [...store.view.everyStripe()].map(({ layout }) => store.view.layout(layout)?.backends ?? [])[0] ?? [];
        const gone = before[0] ?? 0;
        memory.backend(gone - 2).isDown = true;
        await memory.clock.pass(DEAD_MS);
        await memory.clock.run(store.caretaker.round());
        const after = [...store.view.everyStripe()].map(({ layout }) => store.view.layout(layout)?.backends ?? [])[0] ?? [];
        expect(after.slice(1)).toEqual(before.slice(1));
        expect(after[0]).not.toBe(gone);
        for (const group of [0, 1, 2]) expect(after.filter((backend) => (backend - 2) % 3 === group)).toHaveLength(2);
    });
});

test("metadata have no quorum when two of four are gone, and it is said which", async () => {
    const { memory, store } = await opened();
    await memory.put(store, "object", Buffer.from("x"));
    for (const [index] of METADATA.entries()) memory.replica(index).isDown = index < 2;
    await expect(memory.put(store, "object", Buffer.from("y"))).rejects.toThrow(
        /3 of 4 metadata replicas have to be .*, and 2 do not answer \(1: connection refused; 2: connection refused\)/,
    );
});
