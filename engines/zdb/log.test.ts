import { describe, expect, test } from "vitest";
import { ManualTimers } from "../../test/zdb/manual-timers.ts";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { bytes, drop, openStore, put, readValue } from "../../test/zdb/store.ts";
import type { Namespace } from "./namespace.ts";
import { Slices } from "./slices.ts";

const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};

/** Sets without ending the turn and gives what the reply waits for. */
function set(namespace: Namespace, key: string, value: string) {
    const { lsn } = namespace.set(bytes(key), bytes(value), 1);
    return namespace.log.gate(lsn);
}

function verdict(namespace: Namespace, gate: ReturnType<typeof set>): unknown {
    return gate ? namespace.log.passes(gate) : true;
}

describe("acknowledgement", () => {
    test("none and interval: after the write of the turn, not before", async () => {
        for (const durability of [{ kind: "none" }, { kind: "interval", ms: 1000 }] as const) {
            const { standard } = await openStore("/data", { disk: new MemoryDisk("/data"), durability, timers: new ManualTimers() });
            const gate = set(standard, "a", "1");
            expect(verdict(standard, gate)).toBe(false);
            standard.log.write();
            expect(verdict(standard, gate)).toBe(true);
        }
    });

    test("commit: after a sync, one for all writes that came meanwhile, reads of what is not synced wait too", async () => {
        const disk = new MemoryDisk("/data");
        const { standard } = await openStore("/data", { disk, durability: { kind: "commit" }, timers: new ManualTimers() });
        disk.holdSyncs = true;
        const first = set(standard, "a", "1");
        standard.log.write();
        const second = set(standard, "b", "2");
        const third = set(standard, "c", "3");
        standard.log.write();
        const read = standard.log.gate(standard.dependency(standard.find(bytes("c"))));
        await settled();
        for (const gate of [first, second, third, read]) expect(verdict(standard, gate)).toBe(false);

        const before = disk.syncs;
        disk.releaseSyncs();
        await settled();
        for (const gate of [first, second, third, read]) expect(verdict(standard, gate)).toBe(true);
        expect(disk.syncs - before).toBe(2);
        const survivor = await openStore("/data", { disk: disk.afterPowerLoss() });
        expect(readValue(survivor.standard, "c")).toBe("3");
    });

    test("commit: an answer of nothing waits for the deletion it may come from", async () => {
        const disk = new MemoryDisk("/data");
        const { standard } = await openStore("/data", { disk, durability: { kind: "commit" }, timers: new ManualTimers() });
        put(standard, "a", "1");
        await standard.log.commit();
        disk.holdSyncs = true;
        drop(standard, "a");
        const nil = standard.log.gate(standard.dependency(standard.find(bytes("a"))));
        expect(verdict(standard, nil)).toBe(false);
        disk.releaseSyncs();
        await settled();
        expect(verdict(standard, nil)).toBe(true);
    });

    test("interval: nothing older than the interval is lost, and answers stop while a sync takes longer", async () => {
        const disk = new MemoryDisk("/data");
        const timers = new ManualTimers();
        const { standard } = await openStore("/data", { disk, timers, durability: { kind: "interval", ms: 1000 } });
        put(standard, "a", "1");
        disk.holdSyncs = true;
        timers.advance(500);
        await settled();
        const within = set(standard, "b", "2");
        standard.log.write();
        expect(verdict(standard, within)).toBe(true);
        timers.advance(501);
        const late = set(standard, "c", "3");
        standard.log.write();
        expect(verdict(standard, late)).toBe(false);
        disk.releaseSyncs();
        await settled();
        expect(verdict(standard, late)).toBe(true);
        expect(readValue((await openStore("/data", { disk: disk.afterPowerLoss() })).standard, "a")).toBe("1");
    });

    test("a change of durability counts at once", async () => {
        const disk = new MemoryDisk("/data");
        const { standard } = await openStore("/data", { disk, durability: { kind: "none" }, timers: new ManualTimers() });
        await standard.setProperty({ name: "durability", text: "commit" });
        disk.holdSyncs = true;
        const gate = set(standard, "a", "1");
        standard.log.write();
        expect(verdict(standard, gate)).toBe(false);
        disk.releaseSyncs();
        await settled();
        expect(verdict(standard, gate)).toBe(true);
    });
});

describe("a disk that fails", () => {
    test("sync: the namespace is read-only, what waited gets an error, what was synced stays", async () => {
        const disk = new MemoryDisk("/data");
        const { standard, lines } = await openStore("/data", { disk, durability: { kind: "commit" }, timers: new ManualTimers() });
        put(standard, "a", "1");
        await standard.log.commit();
        disk.failSyncs = true;
        const gate = set(standard, "b", "2");
        standard.log.write();
        await settled();
        expect(verdict(standard, gate)).toEqual({ failure: expect.stringContaining("sync of the log failed (EIO)") });
        expect(() => put(standard, "c", "3")).toThrow("Namespace is read-only: a sync of the log failed (EIO)");
        expect(standard.disturbance).toContain("read-only");
        expect(readValue(standard, "a")).toBe("1");
        expect(lines).toEqual([expect.stringContaining("read-only")]);
    });

    test("write: the batch is taken back and its replies become errors", async () => {
        const disk = new MemoryDisk("/data");
        const { standard } = await openStore("/data", { disk, timers: new ManualTimers() });
        put(standard, "a", "1");
        disk.failWrites = true;
        const gates = [set(standard, "a", "2"), set(standard, "b", "3")];
        const gone = standard.delete(bytes("b"), 1);
        gates.push(standard.log.gate(gone));
        standard.log.write();
        for (const gate of gates) expect(verdict(standard, gate)).toEqual({ failure: "Cannot write data right now (EIO)" });
        expect(readValue(standard, "a")).toBe("1");
        expect(standard.entries).toBe(1);
        expect(standard.nextId()).toBe(1);
        expect(standard.liveBytes).toBe(1);
        disk.failWrites = false;
        expect(readValue((await openStore("/data", { disk: disk.copy() })).standard, "a")).toBe("1");
    });

    test("a sync that fails when a property changes is said to the one who asked", async () => {
        const disk = new MemoryDisk("/data");
        const { standard } = await openStore("/data", { disk, timers: new ManualTimers() });
        disk.failSyncs = true;
        await expect(standard.setProperty({ name: "maxsize", text: "5" })).rejects.toThrow("Cannot write data right now");
        expect(standard.properties.maxsize).toBe(0);
    });
});

describe("a namespace that is removed", () => {
    test("in the turn of a write: nothing goes to closed descriptors, whose numbers others may have", async () => {
        const disk = new MemoryDisk("/data");
        const { namespaces } = await openStore("/data", { disk, timers: new ManualTimers() });
        const doomed = await namespaces.create("doomed");
        await doomed.checkpoint.write(new Slices());
        expect(disk.exists("/data/.index/doomed/checkpoint")).toBe(true);
        const gate = set(doomed, "a", "1");
        const open = disk.openFiles;
        await namespaces.remove("doomed");
        expect(disk.openFiles).toBe(open - 1);
        doomed.log.write();
        expect(verdict(doomed, gate)).toEqual({ failure: "Cannot write data right now: the namespace is removed" });
        expect(doomed.log.failure).toBe("the namespace is removed");
        await namespaces.close();
        expect(disk.openFiles).toBe(0);
        expect(disk.list("/data").filter((name) => !name.startsWith("."))).toEqual(["default"]);
        expect(disk.exists("/data/.index/doomed/checkpoint")).toBe(false);
    });
});

describe("a disk that is full", () => {
    const RESERVE = 1024 * 1024;

    test("refuses values, keeps what was written, takes deletions and property changes, and recovers", async () => {
        const disk = new MemoryDisk("/data");
        const timers = new ManualTimers();
        const { standard } = await openStore("/data", { disk, timers, reserveBytes: RESERVE });
        for (let place = 0; place < 10; place++) put(standard, `key-${place}`, "v".repeat(1000));
        disk.capacity = disk.usedBytes + 500;

        const gate = set(standard, "big", "w".repeat(2000));
        standard.log.write();
        expect(verdict(standard, gate)).toEqual({ failure: "Cannot write data right now: the disk is full" });
        expect(readValue(standard, "big")).toBeUndefined();
        expect(() => put(standard, "small", "s")).toThrow("the disk is full");
        for (let place = 0; place < 10; place++) drop(standard, `key-${place}`);
        await standard.setProperty({ name: "public", text: "0" });
        expect(standard.entries).toBe(0);
        expect(standard.log.failure).toBeUndefined();

        disk.capacity = Number.POSITIVE_INFINITY;
        timers.advance(1001);
        put(standard, "after", "room");
        timers.advance(10_000);
        put(standard, "later", "room");
        expect(disk.contents("/data/.reserve").length).toBe(RESERVE);
        const { standard: again } = await openStore("/data", { disk: disk.copy(), reserveBytes: RESERVE });
        expect(again.entries).toBe(2);
        expect(again.properties.public).toBe(false);
    });

    test("a record larger than a batch is taken back too", async () => {
        const disk = new MemoryDisk("/data");
        const { standard } = await openStore("/data", { disk, timers: new ManualTimers() });
        put(standard, "a", "1");
        disk.capacity = disk.usedBytes + 1_500_000;
        expect(() => standard.set(bytes("big"), Buffer.alloc(2_000_000), 1)).toThrow("the disk is full");
        expect(standard.entries).toBe(1);
        expect(readValue(standard, "big")).toBeUndefined();
        expect(readValue((await openStore("/data", { disk: disk.copy() })).standard, "a")).toBe("1");
    });

    test("a new segment that finds no room is refused without harm", async () => {
        const disk = new MemoryDisk("/data");
        const timers = new ManualTimers();
        const { standard } = await openStore("/data", { disk, timers, segmentBytes: 600 });
        // Little enough that the next file was not made beforehand.
        put(standard, "a", "v".repeat(100));
        disk.capacity = disk.usedBytes + 100;
        expect(() => put(standard, "b", "v".repeat(400))).toThrow("the disk is full");
        disk.capacity = Number.POSITIVE_INFINITY;
        timers.advance(1001);
        put(standard, "b", "v".repeat(400));
        expect((await openStore("/data", { disk: disk.copy() })).standard.entries).toBe(2);
    });
});

describe("large values", () => {
    test("are written past the batch, read back, and compared", async () => {
        const disk = new MemoryDisk("/data");
        const { standard, namespaces } = await openStore("/data", { disk });
        const large = Buffer.alloc(8 * 1024 * 1024, "abc");
        standard.set(bytes("small"), bytes("1"), 1);
        expect(standard.set(bytes("large"), large, 1).outcome).toBe("written");
        expect(standard.set(bytes("large"), large, 1).outcome).toBe("unchanged");
        standard.log.write();
        await namespaces.close();
        const again = await openStore("/data", { disk });
        expect(readValue(again.standard, "large")).toBe(large.toString("latin1"));
        expect(readValue(again.standard, "small")).toBe("1");
    });
});
