import * as fs from "node:fs";
import * as path from "node:path";
import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { error, ok } from "../../test/zdb/resp-client.ts";
import { startServer } from "../../test/zdb/running-server.ts";
import { drop, openStore, put, readValue } from "../../test/zdb/store.ts";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { runOn } from "../../test/zdb/tool-run.ts";
import { type Disk, nodeDisk } from "./disk.ts";
import { scanNamespace } from "./namespace-reading.ts";
import { takeSnapshot } from "./snapshot.ts";
import { CHECK } from "./tool-check.ts";
import { Upkeep } from "./upkeep.ts";

const KEYS = 40;
const EVERYTHING = { entries: 1000, ms: 60_000 };

/** Another file system: nothing can be moved to it. */
const farDisk: Disk = {
    ...nodeDisk,
    rename(from, to) {
        if (path.basename(path.dirname(from)) === "data" && to.includes("/snapshots/"))
            throw Object.assign(new Error("EXDEV"), { code: "EXDEV" });
        nodeDisk.rename(from, to);
    },
};

describe("a snapshot", () => {
    test.each([
        { how: "links", disk: nodeDisk },
        { how: "copies", disk: farDisk },
    ])("by $how is the namespace at one moment, whatever is written and compacted meanwhile", async ({ disk }) => {
        const root = temporaryDirectory();
        const snapshots = path.join(root, "snapshots");
        fs.mkdirSync(path.join(root, "data"));
        fs.mkdirSync(snapshots);
        const { namespaces } = await openStore(path.join(root, "data"), { disk, segmentBytes: 2000, upkeep: (parts) => new Upkeep(parts) });
        const one = await namespaces.create("one");
        /** What the namespace was after each record. */
        const states = new Map<number, Readonly<Record<string, string>>>();
        let state: Record<string, string> = {};
        const step = (place: number): void => {
            const key = `key-${(place * 7) % KEYS}`;
            const isDeletion = place % 11 === 0 && key in state;
            if (isDeletion) drop(one, key);
            else put(one, key, `${place} `.repeat(20));
            const { [key]: before, ...others } = state;
            state = isDeletion ? others : { ...others, [key]: `${place} `.repeat(20) };
            states.set(one.log.lastLsn, state);
        };
        for (let place = 0; place < 200; place++) step(place);

        let isOver = false;
        const writer = (async () => {
            for (let place = 200; !isOver || one.measures.compactions === 0; place++) {
                step(place);
                if (place % 3 === 0) await setImmediate();
            }
        })();
        for (const name of ["first", "second", "third"]) {
            const atLeast = one.log.lastLsn;
            await takeSnapshot(disk, one, path.join(root, "data", `.new-${name}`), path.join(snapshots, name));
            expect(one.log.lastLsn).toBeGreaterThanOrEqual(atLeast);
            expect((await runOn(nodeDisk, CHECK, path.join(snapshots, name))).out).toContain(`namespace ${name}: sound`);
            const { namespaces: copies } = await openStore(snapshots);
            const copy = copies.get(name);
            expect(copy?.log.lastLsn).toBeGreaterThanOrEqual(atLeast);
            if (!copy) throw new Error("it was not loaded");
            const found = scanNamespace(copy, undefined, 1, EVERYTHING).entries.map(({ key }) => [String(key), readValue(copy, key)]);
            expect(Object.fromEntries(found)).toEqual(states.get(copy.log.lastLsn));
            await copies.close();
        }
        isOver = true;
        await writer;
        await namespaces.close();
        expect(fs.readdirSync(snapshots).filter((name) => name.includes("unfinished"))).toEqual([]);
    });

    test("that cannot be finished leaves nothing behind", async () => {
        const root = temporaryDirectory();
        const full: Disk = {
            ...nodeDisk,
            sync: (fd) => (fs.readlinkSync(`/proc/self/fd/${fd}`).includes(".new-") ? Promise.reject(noSpace()) : nodeDisk.sync(fd)),
        };
        const { standard, namespaces } = await openStore(root, { disk: full });
        put(standard, "k", "v");
        const [hold, target] = [path.join(root, ".new-1"), path.join(root, ".snapshot")];
        await expect(takeSnapshot(full, standard, hold, target)).rejects.toThrow(`Cannot take a snapshot to ${target} (ENOSPC)`);
        expect(fs.readdirSync(root).sort()).toEqual([".index", "default"].filter((name) => fs.existsSync(path.join(root, name))));
        await takeSnapshot(nodeDisk, standard, hold, target);
        expect(fs.readdirSync(target)).toEqual(["d0"]);
        expect(fs.existsSync(hold)).toBe(false);
        await namespaces.close();
    });
});

describe("NSSNAPSHOT", () => {
    test("makes a directory that NSATTACH takes, with what the client wrote before it asked", async () => {
        const server = await startServer();
        const admin = await server.client();
        const place = path.join(path.dirname(server.data), "snapshot");
        expect(await admin.call("NSNEW", "one")).toEqual(ok);
        expect(await admin.call("NSSET", "one", "maxsize", "900")).toEqual(ok);
        expect(await admin.call("SELECT", "one")).toEqual(ok);
        const replies = Promise.all([admin.call("SET", "k", "v"), admin.call("NSSNAPSHOT", "one", place), admin.call("SET", "k", "later")]);
        expect(await replies).toEqual(["k", ok, "k"]);
        expect(await admin.call("NSSNAPSHOT", "one", place)).toEqual(error(`Cannot take a snapshot: ${place} exists`));
        expect(await admin.call("NSSNAPSHOT", "one", "relative")).toEqual(error("Invalid argument, relative is not an absolute path"));
        expect(await admin.call("NSSNAPSHOT", "none", `${place}2`)).toEqual(error("Namespace not found"));
        expect(await admin.call("NSSNAPSHOT", "one", "/nowhere/at/all")).toEqual(
            error("Cannot take a snapshot: /nowhere/at does not exist"),
        );
        expect(await admin.call("NSSNAPSHOT", "one", path.join(server.data, "two"))).toMatchObject({
            error: expect.stringContaining("is the place of a namespace of this server"),
        });
        expect(await runOn(nodeDisk, CHECK, place)).toMatchObject({ code: 0 });
        expect(await admin.call("NSATTACH", "two", place)).toEqual(ok);
        expect(await admin.call("SELECT", "two")).toEqual(ok);
        expect(await admin.call("GET", "k")).toBe("v");
        expect(await admin.call("NSINFO", "two")).toContain("data_limits_bytes: 900\n");
        expect(await admin.call("SELECT", "one")).toEqual(ok);
        expect(await admin.call("GET", "k")).toBe("later");
    });
});

const noSpace = (): Error => Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
