import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { METADATA, MemoryStore } from "../../test/zstor/memory-store.ts";
import type { Backend } from "./backend.ts";
import type { StoreParts } from "./store.ts";
import { tidyReplica } from "./tidying.ts";

/** A store whose metadata replicas hold pages of snapshots up until they are let go. */
async function opened(more: Partial<StoreParts> = {}) {
    const memory = new MemoryStore();
    await memory.create();
    const held: (() => void)[] = [];
    let isHolding = false;
    const connect = (url: string): Backend => {
        const backend = memory.network.connect(url);
        if (!METADATA.includes(url)) return backend;
        return {
            ...backend,
            async set(key, value) {
                if (isHolding && Buffer.from(key).toString("latin1", 0, 1) === "p")
                    await new Promise<void>((resolve) => held.push(resolve));
                return backend.set(key, value);
            },
        };
    };
    const store = await memory.open({ connect, snapshotBytes: 2000, ...more });
    const hold = () => {
        isHolding = true;
    };
    const letGo = () => {
        isHolding = false;
        for (const go of held.splice(0)) go();
    };
    return { memory, store, held, hold, letGo };
}

test.each([
    ["in memory", () => ":memory:"],
    ["in a file", () => join(temporaryDirectory(), "view")],
])("a snapshot of a view %s is written beside what is put, replaced and removed meanwhile, and both are found again", async (_, path) => {
    const { memory, store, held, hold, letGo } = await opened({ viewPath: path() });
    hold();
    for (let index = 0; held.length === 0; index++) await memory.put(store, `before ${index}`, Buffer.from(`content ${index}`));
    // The pages are on no replica: whatever is acknowledged now does not wait for them.
    for (let index = 0; index < 10; index++) await memory.put(store, `beside ${index}`, Buffer.from(`beside ${index}`));
    await memory.put(store, "before 0", Buffer.from("replaced"));
    await memory.clock.run(store.remove("before 1"));
    await memory.clock.run(store.caretaker.round());
    expect(store.journal.live?.snapshot).toBeUndefined();
    const sequence = store.journal.live?.pagesOf ?? 0;
    letGo();
    await memory.clock.pass(1000);

    const { live } = store.journal;
    expect(live).toMatchObject({ snapshot: { type: "snapshot-beside", sequence } });
    expect(live?.batches[0]?.sequence).toBe(sequence + 1);
    await memory.clock.run(store.caretaker.round());
    const records = [...store.view.records()];
    await memory.clock.run(store.close());
    const again = await memory.open();
    expect([...again.view.records()]).toEqual(records);
    expect((await memory.get(again, "before 0")).toString()).toBe("replaced");
    expect(again.stat("before 1")).toBeUndefined();
    for (let index = 0; index < 10; index++) expect((await memory.get(again, `beside ${index}`)).toString()).toBe(`beside ${index}`);
});

test("pages that are begun after a tidying has begun are no left-overs to it, however much is committed meanwhile", async () => {
    const { memory, store, held, hold, letGo } = await opened();
    await memory.put(store, "first", Buffer.from("content"));
    const { live } = store.journal;
    const [replica] = store.replicas.members;
    if (live === undefined || replica === undefined) throw new Error("it is not open");
    hold();
    for (let index = 0; held.length === 0; index++) await memory.put(store, `object ${index}`, Buffer.from("content"));
    // One replica has the page already, too few for it to be named.
    held.shift()?.();
    await memory.put(store, "later", Buffer.from("content"));
    const pages = () => [...memory.replica(0).values.keys()].filter((key) => key.startsWith("p"));
    expect(pages()).toHaveLength(1);
    const { replicas, journal, view, keys } = store;
    const storeId = Buffer.from(store.config.storeId, "hex");
    await memory.clock.run(tidyReplica({ replicas, journal, view, keys, storeId }, replica, live));
    expect(pages()).toHaveLength(1);
    letGo();
    await memory.clock.pass(1000);
    expect(store.journal.live?.snapshot).toBeDefined();
});

test("pages are no left-overs either while the batch that names them is on its way", async () => {
    const { memory, store, held, hold, letGo } = await opened();
    const { replicas, journal, view, keys } = store;
    hold();
    for (let index = 0; held.length === 0; index++) await memory.put(store, `object ${index}`, Buffer.from("content"));
    await memory.put(store, "beside", Buffer.from("content"));
    letGo();
    // At each moment until they are named.
    const lives: NonNullable<typeof journal.live>[] = [];
    while (journal.live?.snapshot === undefined) {
        if (journal.live) lives.push(journal.live);
        await memory.clock.pass(1);
    }
    const parts = { replicas, journal, view, keys, storeId: Buffer.from(store.config.storeId, "hex") };
    for (const live of lives) for (const replica of replicas.members) await memory.clock.run(tidyReplica(parts, replica, live));
    for (const index of METADATA.keys())
        expect([...memory.replica(index).values.keys()].filter((key) => key.startsWith("p"))).toHaveLength(1);
});

test("pages of a snapshot that another front end came before are named by nobody, and go", async () => {
    const { memory, store, held, hold, letGo } = await opened();
    hold();
    for (let index = 0; held.length === 0; index++) await memory.put(store, `object ${index}`, Buffer.from("content"));
    const later = await memory.open();
    letGo();
    await memory.clock.pass(1000);
    await expect(memory.put(store, "late", Buffer.from("x"))).rejects.toMatchObject({ failure: "superseded" });
    later.caretaker.tidyAgain();
    await memory.clock.run(later.caretaker.round());
    for (const index of METADATA.keys()) expect([...memory.replica(index).values.keys()].filter((key) => key.startsWith("p"))).toEqual([]);
});

test("a layout that no stripe has any more goes with a snapshot, and is said again when a stripe comes to it", async () => {
    const { memory, store } = await opened();
    await memory.put(store, "object", Buffer.from("content"));
    const [used] = store.view.stripeCounts().keys();
    await memory.clock.run(store.remove("object"));
    await memory.clock.run(store.caretaker.round());
    expect(store.view.totals()).toMatchObject({ objects: 0, stripes: 0, storedBytes: 0, liveBytes: 0 });
    while (store.journal.live?.snapshot === undefined) {
        await memory.put(store, "empty", Buffer.alloc(0));
        await memory.clock.pass(1000);
    }
    expect([...store.view.allLayouts()]).toEqual([]);
    for (let index = 0; index < 40; index++) await memory.put(store, `object ${index}`, Buffer.from("content"));
    expect(store.view.layout(used ?? 0)).toBeDefined();
    await memory.clock.run(store.close());
    const again = await memory.open();
    for (let index = 0; index < 40; index++) expect((await memory.get(again, `object ${index}`)).toString()).toBe("content");
});
