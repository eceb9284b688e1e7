import { randomBytes } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { piecesOf, read, SETTINGS } from "../../test/zstor/memory-store.ts";
import { backendsAt, partsOver } from "../../test/zstor/real-store.ts";
import { startZdb } from "../../test/zstor/zdb-servers.ts";
import { createStore, openStore } from "./opening.ts";

const SECRET = "a secret that nobody else knows";
const NAMES = ["d0", "d1", "d2", "d3", "d4", "d5"];

test("what rots on the disk of a real server is found by a scrub and made again", { timeout: 120_000 }, async () => {
    const directory = join(temporaryDirectory(), "zdb");
    const server = await startZdb(directory, [...NAMES, "meta"]);
    const metadata = [server.url("meta")];
    const backends = backendsAt(NAMES.map((name) => server.url(name)));
    const parts = partsOver();
    await createStore(parts, SECRET, { metadata, writeQuorum: 1, backends, settings: SETTINGS });
    const store = await openStore(parts, SECRET, metadata);
    onTestFinished(() => store.close());
    const content = randomBytes(600_000);
    await store.put("object", piecesOf(content));
    for (const name of ["d0", "d3"]) turnBit(join(directory, "data", name, "d0"));
    expect(await store.caretaker.scrub()).toMatchObject({ stripes: 1, badShards: 2 });
    expect(await store.caretaker.scrub()).toMatchObject({ stripes: 1, badShards: 0 });
    expect((await read(store, "object")).equals(content)).toBe(true);
});

/** In the middle, where the only value is. */
function turnBit(path: string): void {
    const file = openSync(path, "r+");
    const at = Math.floor(fstatSync(file).size / 2);
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, at);
    byte.writeUInt8(byte.readUInt8(0) ^ 1);
    writeSync(file, byte, 0, 1, at);
    closeSync(file);
}
