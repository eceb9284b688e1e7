import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, test } from "vitest";
import { eventually } from "../../test/zdb/eventually.ts";
import { ManualTimers } from "../../test/zdb/manual-timers.ts";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { error, ok } from "../../test/zdb/resp-client.ts";
import { startServer } from "../../test/zdb/running-server.ts";
import { openStore, put, readValue, type Store } from "../../test/zdb/store.ts";
import { buildSidecar } from "./sidecar-building.ts";
import { Slices } from "./slices.ts";

const NOT_AVAILABLE = "Namespace is not available: its directory cannot be opened (EIO), retrying";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A store with namespace `one`, of two segments, of which the second cannot be opened. */
async function broken(): Promise<{ readonly disk: MemoryDisk; readonly timers: ManualTimers; readonly store: Store }> {
    const disk = new MemoryDisk("/data", "/trash");
    const timers = new ManualTimers();
    const first = await openStore("/data", { disk, timers, segmentBytes: 400 });
    const one = await first.namespaces.create("one");
    for (let place = 0; place < 6; place++) put(one, `key-${place}`, "v".repeat(60));
    await first.namespaces.close();
    disk.unreadable.add("/data/one/d1");
    return { disk, timers, store: await openStore("/data", { disk, timers, segmentBytes: 400 }) };
}

describe("a namespace whose directory cannot be opened", () => {
    test("stays listed, refuses with the reason, leaves nothing open, and is there as soon as it can be", async () => {
        const { disk, timers, store } = await broken();
        const { namespaces, lines } = store;
        expect([...namespaces.unavailable()].map(({ name }) => name)).toEqual(["one"]);
        for (const use of [() => namespaces.get("one"), () => namespaces.remove("one"), () => namespaces.attach("one", "/trash/none")]) {
            await expect((async () => use())()).rejects.toThrow(NOT_AVAILABLE);
        }
        await expect(namespaces.create("one")).rejects.toThrow("This namespace is not available");

        const open = disk.openFiles;
        // 1, 2, 4, 8, 16, 32, then every 60 seconds.
        for (const seconds of [1, 2, 4, 8, 16, 32, 60]) {
            expect(timers.pending).toBe(1);
            timers.advance(seconds * 1000 - 1);
            expect(timers.pending).toBe(1);
            timers.advance(1);
            expect(timers.pending).toBe(0);
            await turn();
        }
        expect(disk.openFiles).toBe(open);
        expect(lines).toEqual([expect.stringContaining("namespace one is not available")]);

        disk.unreadable.clear();
        timers.advance(60_000);
        await turn();
        const one = namespaces.get("one");
        expect(one && readValue(one, "key-5")).toBe("v".repeat(60));
        expect([...namespaces.unavailable()]).toEqual([]);
        expect(lines.at(-1)).toBe("namespace one is available after all");
        await namespaces.close();
        expect(disk.openFiles).toBe(0);
    });

    test("leaves no sidecar open that told a property of it, when what is read cannot be appended to", async () => {
        const disk = new MemoryDisk("/data");
        const timers = new ManualTimers();
        const options = { disk, timers, segmentBytes: 400, checkpointBytes: 0 };
        const first = await openStore("/data", options);
        const one = await first.namespaces.create("one", [{ name: "password", text: "secret" }]);
        for (let place = 0; place < 6; place++) put(one, `key-${place}`, "v".repeat(60));
        const { segments, sidecars } = one;
        for (const segment of segments.closed) await buildSidecar(disk, segments, sidecars, segment, new Slices());
        await first.namespaces.close();

        const openForAppend = disk.openForAppend.bind(disk);
        disk.openForAppend = (file) => {
            if (file.startsWith("/data/one/")) throw Object.assign(new Error("EIO"), { code: "EIO" });
            return openForAppend(file);
        };
        const { namespaces } = await openStore("/data", options);
        expect([...namespaces.unavailable()].map(({ name }) => name)).toEqual(["one"]);
        await namespaces.close();
        expect(disk.openFiles).toBe(0);
    });

    test("can be detached; a detach that fails leaves it listed and tried", async () => {
        const { disk, timers, store } = await broken();
        const rename = disk.rename.bind(disk);
        disk.rename = () => {
            throw Object.assign(new Error("EXDEV"), { code: "EXDEV" });
        };
        await expect(store.namespaces.detach("one", "/trash/one")).rejects.toThrow("must be on one file system");
        expect([...store.namespaces.unavailable()].map(({ name }) => name)).toEqual(["one"]);
        expect(timers.pending).toBe(1);
        disk.rename = rename;

        await store.namespaces.detach("one", "/trash/one");
        expect(timers.pending).toBe(0);
        expect(store.namespaces.get("one")).toBeUndefined();
        expect(disk.exists("/trash/one/d1")).toBe(true);
        disk.unreadable.clear();
        expect(readValue(await store.namespaces.attach("two", "/trash/one"), "key-5")).toBe("v".repeat(60));
        await store.namespaces.close();
    });

    test("is tried no more when the server stops", async () => {
        const { timers, store } = await broken();
        await store.namespaces.close();
        expect(timers.pending).toBe(0);
    });
});

describe("an attach that cannot open what it moved", () => {
    test("moves it back, so that it can be tried again", async () => {
        const { disk, store } = await broken();
        await store.namespaces.detach("one", "/trash/one");
        disk.unreadable.clear();
        disk.unreadable.add("/data/two/d1");
        await expect(store.namespaces.attach("two", "/trash/one")).rejects.toThrow(
            "Cannot attach /trash/one: its directory cannot be opened (EIO)",
        );
        expect(disk.exists("/trash/one/d0")).toBe(true);
        expect(disk.exists("/data/two")).toBe(false);
        disk.unreadable.clear();
        expect(readValue(await store.namespaces.attach("two", "/trash/one"), "key-0")).toBe("v".repeat(60));
        await store.namespaces.close();
    });
});

describe("on the wire", () => {
    test("its administrator sees it and why, and others are refused with the reason", async () => {
        const first = await startServer(["--admin", "secret"]);
        const before = await first.client();
        for (const request of [
            ["AUTH", "secret"],
            ["NSNEW", "one"],
            ["SELECT", "one"],
        ])
            expect(await before.call(...request)).toEqual(ok);
        expect(await before.call("SET", "k", "v")).toBe("k");
        await first.stop();
        const [segment, aside] = [path.join(first.data, "one", "d0"), path.join(path.dirname(first.data), "d0")];
        fs.renameSync(segment, aside);
        // A directory cannot be read as a file, not by root either.
        fs.mkdirSync(segment);

        const server = await startServer(["--admin", "secret"], path.dirname(first.data));
        const [admin, client] = [await server.client(), await server.client()];
        expect(await admin.call("AUTH", "secret")).toEqual(ok);
        const why = "its directory cannot be opened (EISDIR), retrying";
        expect(await admin.call("NSLIST")).toEqual(["default", "one"]);
        expect(await client.call("NSLIST")).toEqual(["default"]);
        expect(await admin.call("NSINFO", "one")).toBe(
            `# namespace\nname: one\ndata_path: ${path.dirname(segment)}\nstate: unavailable (${why})\nlistening: no (the namespace is unavailable)\n`,
        );
        const refused = error(`Namespace is not available: ${why}`);
        expect(await client.call("SELECT", "one")).toEqual(refused);
        for (const request of [
            ["NSSET", "one", "public", "0"],
            ["NSDEL", "one"],
            ["SELECT", "one"],
        ]) {
            expect(await admin.call(...request)).toEqual(refused);
        }
        expect(await admin.call("NSNEW", "one")).toEqual(error("This namespace is not available"));

        fs.rmdirSync(segment);
        fs.renameSync(aside, segment);
        await eventually(async () => expect(await client.call("SELECT", "one")).toEqual(ok));
        expect(await client.call("GET", "k")).toBe("v");
    });
});
