import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { MemoryStore } from "../../test/zstor/memory-store.ts";
import { statusOf } from "./status.ts";
import { View } from "./view.ts";

test("a full disk under the view refuses what is put, ends nothing, and is over when there is room", async () => {
    const memory = new MemoryStore();
    await memory.create();
    const store = await memory.open();
    await memory.put(store, "before", Buffer.from("content"));
    // SQLite says of its own limit what it says of a full disk.
    store.view.database.exec("PRAGMA max_page_count = 1");
    const refused: string[] = [];
    for (let index = 0; refused.length < 3; index++)
        await memory
            .put(store, `object ${index} ${"n".repeat(900)}`, Buffer.from("x"))
            .catch((error: Error) => refused.push(error.message));
    for (const message of refused) expect(message).toMatch(/the front end's view :memory: cannot be used: .*full.*Make room/);
    expect(statusOf(store).warnings[0]).toMatch(/^nothing can be written now: the front end's view/);
    expect((await memory.get(store, "before")).toString()).toBe("content");
    await memory.clock.run(store.caretaker.round());

    store.view.database.exec("PRAGMA max_page_count = 1000000");
    await memory.put(store, "after", Buffer.from("room was made"));
    await memory.clock.run(store.caretaker.round());
    expect(statusOf(store).warnings).toEqual([]);
    const records = [...store.view.records()];
    await memory.clock.run(store.close());
    // A view that was made from nothing holds the same.
    const another = await memory.open();
    expect([...another.view.records()]).toEqual(records);
    expect((await memory.get(another, "after")).toString()).toBe("room was made");
});

test("a view that cannot be used says what to do", () => {
    const directory = temporaryDirectory();
    const open = (name: string) => () => new View(join(directory, name), "store");
    writeFileSync(join(directory, "damaged"), Buffer.alloc(10_000, "no database"));
    expect(open("damaged")).toThrow(/damaged cannot be used: .*Remove it: it is made again from the metadata/);
    expect(open("absent/view")).toThrow(/absent\/view cannot be used: .*Make its directory/);
    mkdirSync(join(directory, "directory"));
    expect(open("directory")).toThrow(/directory cannot be used/);
});
