import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { SlowRelay } from "../../test/agent/slow-relay.ts";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { piecesOf, read, SETTINGS } from "../../test/zstor/memory-store.ts";
import { backendsAt, partsOver } from "../../test/zstor/real-store.ts";
import { startZdb } from "../../test/zstor/zdb-servers.ts";
import { createStore, openStore } from "./opening.ts";

const SECRET = "a secret that nobody else knows";
const NAMES = ["d0", "d1", "d2", "d3", "d4", "d5", "d6"];

test("over real servers a read does not wait for the one behind a link that has gone silent", { timeout: 120_000 }, async () => {
    const server = await startZdb(join(temporaryDirectory(), "zdb"), [...NAMES, "meta"]);
    const port = Number(new URL(server.url("d0")).port);
    await using relay = await SlowRelay.to("127.0.0.1", port, { oneWayMs: 5 });
    const urls = NAMES.map((name, index) => (index === 0 ? server.url(name).replace(`:${port}`, `:${relay.port}`) : server.url(name)));
    const metadata = [server.url("meta")];
    // The first has the first shard of each stripe, which every read wants.
    const backends = backendsAt(urls).map((backend, index) => ({ ...backend, weight: index === 0 ? 10 : 1 }));
    const parts = partsOver();
    await createStore(parts, SECRET, { metadata, writeQuorum: 1, backends, settings: SETTINGS });
    const store = await openStore(parts, SECRET, metadata);
    onTestFinished(() => store.close());
    const content = randomBytes(3_000_000);
    await store.put("object", piecesOf(content));
    expect((await read(store, "object")).equals(content)).toBe(true);
    relay.freeze();
    for (let count = 0; count < 3; count++) expect((await read(store, "object")).equals(content)).toBe(true);
    const silent = store.pool.member(2);
    // Nothing has come from it, and what it was asked has not been given up: nobody waited for that.
    expect(silent?.figures.of("get").failed).toBe(0);
    expect(silent?.load.running).toBeGreaterThan(0);
    expect(store.pool.hedgedReads).toBeGreaterThan(0);
});
