import { writeFileSync } from "node:fs";
import { MemoryStore } from "./memory-store.ts";

// Writes a whole store as this version writes it: `bun test/zstor/write-fixture.ts test/fixtures/zstor/v<N>/store.json`, once for a format, never again.
const memory = new MemoryStore(7);
await memory.create();
const store = await memory.open({ snapshotBytes: 1500 });
const contents: Record<string, Buffer> = {
    empty: Buffer.alloc(0),
    "text/compressible": Buffer.alloc(200_000, "the same line again\n"),
    "binary/ü": memory.random.bytes(5000),
};
for (const [name, content] of Object.entries(contents)) await memory.put(store, name, content);
await memory.put(store, "removed", Buffer.from("gone"));
await memory.clock.run(store.remove("removed"));
for (let index = 0; index < 12; index++) await memory.put(store, "replaced", Buffer.from(`version ${index}`));
contents.replaced = Buffer.from("version 11");
await memory.clock.run(store.rotateWrapping());
await memory.clock.run(store.caretaker.round());
await memory.clock.run(store.close());

const namespaces = Object.fromEntries(
    [...memory.network.namespaces].map(([url, { values }]) => [
        url,
        Object.fromEntries([...values].map(([key, { value }]) => [Buffer.from(key, "latin1").toString("hex"), value.toString("base64")])),
    ]),
);
const objects = Object.fromEntries(Object.entries(contents).map(([name, content]) => [name, content.toString("base64")]));
writeFileSync(process.argv[2] ?? "store.json", `${JSON.stringify({ namespaces, objects }, undefined, 1)}\n`);
process.exit(0);
