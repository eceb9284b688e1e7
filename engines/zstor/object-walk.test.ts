import { expect, test } from "vitest";
import { MemoryStore, SETTINGS } from "../../test/zstor/memory-store.ts";
import { WALK_OBJECTS } from "./limits.ts";
import { ObjectWalk } from "./object-walk.ts";
import type { ObjectId } from "./record.ts";

test("all objects are looked at once, so many at a time, and from then on those that are named, until they are done", () => {
    const all = Array.from({ length: WALK_OBJECTS * 2 + 10 }, (_, index) => String(index).padStart(32, "0") as ObjectId);
    const looked: string[] = [];
    const page = (after: string, limit: number) => {
        const objects = all.filter((object) => object > after).slice(0, limit);
        looked.push(...objects);
        return { due: objects.filter((object) => object.endsWith("77")), after: objects.length < limit ? undefined : objects.at(-1) };
    };
    const walk = new ObjectWalk();
    const rounds = [1, 2, 3, 4].map(() => walk.next(1, page).length);
    expect(looked).toEqual(all);
    expect(rounds).toEqual([50, 100, 100, 100]);
    for (const object of walk.next(1, page)) walk.done(object);
    expect(walk.next(1, page)).toEqual([]);
    walk.name("named" as ObjectId);
    expect(walk.next(1, page)).toEqual(["named"]);
    // Another rule begins with all again.
    expect(walk.next(2, page)).toHaveLength(51);
});

test("fewer generations are kept of objects that nobody touches any more, once that is asked for", async () => {
    const memory = new MemoryStore();
    await memory.create({ settings: { ...SETTINGS, keepGenerations: 3 } });
    const store = await memory.open();
    for (let index = 0; index < 4; index++) await memory.put(store, "object", Buffer.from(`content ${index}`));
    await memory.clock.run(store.caretaker.round());
    expect(store.history("object")).toHaveLength(3);
    await memory.clock.run(store.reconfigure({ settings: { ...SETTINGS, keepGenerations: 1 } }));
    await memory.clock.run(store.caretaker.round());
    expect(store.history("object")).toHaveLength(1);
    expect((await memory.get(store, "object")).toString()).toBe("content 3");
});

test("what is being read is forgotten when it is not read any more", async () => {
    const memory = new MemoryStore();
    await memory.create();
    const store = await memory.open();
    const content = memory.random.bytes(400_000);
    await memory.put(store, "object", content);
    const { bytes } = await store.get("object");
    const reader = bytes[Symbol.asyncIterator]();
    await memory.clock.run(reader.next());
    await memory.put(store, "object", Buffer.from("another"));
    for (let round = 0; round < 2; round++) await memory.clock.run(store.caretaker.round());
    expect(store.history("object")).toHaveLength(2);
    await memory.clock.run(Promise.resolve(reader.return?.()));
    await memory.clock.run(store.caretaker.round());
    expect(store.history("object")).toHaveLength(1);
});
