import { describe, expect, test } from "vitest";
import { ManualTimers } from "../../test/zdb/manual-timers.ts";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { bytes, drop, openStore, put, readValue, type Store } from "../../test/zdb/store.ts";

const INTERVAL = { kind: "interval", ms: 1000 } as const;
const COMMIT = { kind: "commit" } as const;

const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
};

/** A namespace with a value that is synced and some changes that are acknowledged but not synced, whose disk then fails a sync. */
async function brokenStore(): Promise<Store & { readonly disk: MemoryDisk; readonly timers: ManualTimers }> {
    const disk = new MemoryDisk("/data");
    const timers = new ManualTimers();
    const store = await openStore("/data", { disk, timers, durability: INTERVAL });
    put(store.standard, "old", "1");
    put(store.standard, "gone", "1");
    await store.standard.log.commit();
    put(store.standard, "new", "2");
    put(store.standard, "old", "2");
    drop(store.standard, "gone");
    disk.failSyncs = true;
    timers.advance(500);
    await settled();
    return { ...store, disk, timers };
}

async function expectAll(disk: MemoryDisk): Promise<void> {
    const { standard } = await openStore("/data", { disk });
    expect(standard.disturbance).toBeUndefined();
    expect([readValue(standard, "old"), readValue(standard, "new"), readValue(standard, "gone")]).toEqual(["2", "2", undefined]);
}

describe("after a failed sync", () => {
    test("a namespace is read-only until everything acknowledged is synced in another file, then it is writable by itself", async () => {
        const { standard, disk, timers, lines } = await brokenStore();
        expect(standard.disturbance).toBe("read-only (a sync of the log failed (EIO), retrying)");
        timers.advance(1000);
        await settled();
        expect(standard.disturbance).toBe("read-only (a sync of the log failed (EIO), retrying (EIO))");
        expect(() => put(standard, "more", "3")).toThrow("Namespace is read-only: a sync of the log failed (EIO), retrying (EIO)");
        expect(readValue(standard, "new")).toBe("2");
        expect(disk.list("/data/default")).toEqual(["d0"]);

        disk.failSyncs = false;
        timers.advance(1999);
        await settled();
        expect(standard.disturbance).toBeDefined();
        timers.advance(1);
        await settled();
        expect(standard.disturbance).toBeUndefined();
        expect(lines.at(-1)).toContain("writable again");
        // What the other file holds was synced, so the power may go at once.
        await expectAll(disk.afterPowerLoss());
        put(standard, "more", "3");
        await standard.log.commit();
        expect(readValue((await openStore("/data", { disk: disk.afterPowerLoss() })).standard, "more")).toBe("3");
        expect(disk.openFiles).toBe(1);
    });

    test("a kill at any moment of that loses nothing that was acknowledged", async () => {
        const { disk, timers } = await brokenStore();
        await expectAll(disk.copy());
        disk.failSyncs = false;
        disk.holdSyncs = true;
        timers.advance(1000);
        await settled();
        expect(disk.list("/data/default").sort()).toEqual(["d0", "d0.new"]);
        await expectAll(disk.copy());
        disk.releaseSyncs();
        await settled();
        expect(disk.list("/data/default")).toEqual(["d0"]);
        await expectAll(disk.copy());
    });

    test("what cannot be read any more is said, and nothing is written over it", async () => {
        const { standard, disk, timers } = await brokenStore();
        const log = disk.contents("/data/default/d0");
        log[log.length - 1] = (log.at(-1) ?? 0) ^ 1;
        disk.change("/data/default/d0", log);
        disk.failSyncs = false;
        timers.advance(1000);
        await settled();
        expect(standard.disturbance).toContain("retrying (what was not synced cannot be read any more)");
        expect(disk.list("/data/default")).toEqual(["d0"]);
        log[log.length - 1] = (log.at(-1) ?? 0) ^ 1;
        disk.change("/data/default/d0", log);
        timers.advance(2000);
        await settled();
        expect(standard.disturbance).toBeUndefined();
        await expectAll(disk.afterPowerLoss());
    });

    test("commit: who waited got an error, and what the error was about is durable in the end or was never there", async () => {
        const disk = new MemoryDisk("/data");
        const timers = new ManualTimers();
        const { standard } = await openStore("/data", { disk, timers, durability: COMMIT });
        disk.failSyncs = true;
        put(standard, "key", "1");
        await settled();
        const read = standard.log.gate(standard.dependency(standard.find(bytes("key"))));
        expect(read && standard.log.passes(read)).toEqual({ failure: expect.stringContaining("a sync of the log failed (EIO)") });
        disk.failSyncs = false;
        timers.advance(1000);
        await settled();
        expect(standard.log.gate(standard.dependency(standard.find(bytes("key"))))).toBeUndefined();
        expect(readValue((await openStore("/data", { disk: disk.afterPowerLoss() })).standard, "key")).toBe("1");
    });

    test("when the next segment begins", async () => {
        const disk = new MemoryDisk("/data");
        const timers = new ManualTimers();
        const { standard } = await openStore("/data", { disk, timers, segmentBytes: 600, durability: { kind: "none" } });
        put(standard, "a", "v".repeat(400));
        disk.failSyncs = true;
        expect(() => put(standard, "b", "v".repeat(400))).toThrow("a sync of the log failed (EIO)");
        disk.failSyncs = false;
        timers.advance(1000);
        await settled();
        put(standard, "b", "v".repeat(400));
        expect(disk.list("/data/default").sort()).toEqual(["d0", "d1", "d2.new"]);
        expect((await openStore("/data", { disk: disk.copy() })).standard.entries).toBe(2);
    });

    test("an orderly stop tries once more", async () => {
        const { namespaces, disk } = await brokenStore();
        disk.failSyncs = false;
        await namespaces.close();
        expect(disk.openFiles).toBe(0);
        await expectAll(disk.afterPowerLoss());
    });
});

test("after a failed write too", async () => {
    const disk = new MemoryDisk("/data");
    const timers = new ManualTimers();
    const { standard } = await openStore("/data", { disk, timers, durability: INTERVAL });
    put(standard, "a", "1");
    disk.failWrites = true;
    put(standard, "b", "1");
    expect(standard.disturbance).toBe("read-only (a write to the log failed (EIO), retrying)");
    disk.failWrites = false;
    timers.advance(1000);
    await settled();
    put(standard, "b", "2");
    await standard.log.commit();
    const { standard: again } = await openStore("/data", { disk: disk.afterPowerLoss() });
    expect([readValue(again, "a"), readValue(again, "b")]).toEqual(["1", "2"]);
});

test("after a failed sync of a segment that is closed no other sync of it is believed", async () => {
    const disk = new MemoryDisk("/data");
    const { standard } = await openStore("/data", { disk, durability: { kind: "none" } });
    put(standard, "k", "v");
    disk.failSyncs = true;
    expect(() => standard.nextSegment()).toThrow("a sync of the log failed");
    disk.failSyncs = false;
    await expect(standard.log.syncWritten()).rejects.toThrow("EIO");
    expect(standard.log.syncer.syncedLsn).toBe(0);
});

test("an end while the disk fails says that not everything is on it", async () => {
    const disk = new MemoryDisk("/data");
    const { standard, namespaces } = await openStore("/data", { disk, durability: { kind: "none" } });
    put(standard, "k", "v");
    disk.failSyncs = true;
    await expect(standard.log.commit()).rejects.toThrow("a sync of the log failed");
    await expect(namespaces.close()).rejects.toThrow("a sync of the log failed");
    expect(disk.openFiles).toBe(0);
});
