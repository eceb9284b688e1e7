import { describe, expect, test } from "vitest";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { drop, openStore, put, readValue } from "../../test/zdb/store.ts";
import type { Namespace } from "./namespace.ts";
import { scanNamespace } from "./namespace-reading.ts";
import { DamagedBlock } from "./record-blocks.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-header.ts";
import { buildSidecar } from "./sidecar-building.ts";
import { Slices } from "./slices.ts";

test("a value whose successor may be lost with the power is not lost for it", async () => {
    const disk = new MemoryDisk("/data");
    const options = { disk, segmentBytes: 400, durability: { kind: "none" } } as const;
    const { standard } = await openStore("/data", options);
    put(standard, "k", "promised");
    standard.nextSegment();
    put(standard, "k", "not on disk yet");
    await standard.upkeep.rewrite(standard.segments.closed);
    const again = await openStore("/data", { ...options, disk: disk.afterPowerLoss() });
    expect(readValue(again.standard, "k")).toBe("not on disk yet");
});

test("LSNs of a batch that fails while a segment is rewritten are given out again: it claims to know nothing of them", async () => {
    const disk = new MemoryDisk("/data");
    const { standard } = await openStore("/data", { disk, segmentBytes: 400 });
    put(standard, "k", "before");
    standard.nextSegment();
    const { lastLsn } = standard.log;
    standard.set(Buffer.from("k"), Buffer.from("never written"), 1);
    const write = disk.write.bind(disk);
    disk.write = () => {
        disk.write = write;
        throw Object.assign(new Error("EIO"), { code: "EIO" });
    };
    const rewritten = await standard.upkeep.rewrite(standard.segments.closed);
    expect(rewritten.header.cleanLsn).toBe(lastLsn);
    expect(readValue(standard, "k")).toBe("before");
});

test("what is on the disk twice for a moment counts, but for one segment that is allowed for", async () => {
    const SEGMENT_BYTES = 400;
    class WatchedDisk extends MemoryDisk {
        synced = (): void => undefined;

        override async sync(fd: number): Promise<void> {
            this.synced();
            await super.sync(fd);
        }
    }
    const disk = new WatchedDisk("/data");
    const { standard } = await openStore("/data", { disk, segmentBytes: SEGMENT_BYTES });
    for (let round = 0; round < 12; round++) put(standard, "k", `value ${round} ${"v".repeat(50)}`);
    let uncounted = 0;
    disk.synced = () => {
        uncounted = Math.max(uncounted, disk.bytesIn("/data/default") - standard.upkeep.use.totalBytes);
    };
    const run = standard.segments.closed;
    expect(run.length).toBeGreaterThan(3);
    await standard.upkeep.rewrite(run);
    // The file of the next segment is there too, as long as a header.
    expect(uncounted).toBeLessThanOrEqual(SEGMENT_BYTES + SEGMENT_HEADER_BYTES);
    expect(standard.segments.replacedBytes).toBe(0);
});

test("a tombstone lives until no older segment holds a value of its key, and not longer", async () => {
    const disk = new MemoryDisk("/data");
    const { standard } = await openStore("/data", { disk });
    put(standard, "buried", "treasure");
    put(standard, "other", "v");
    standard.nextSegment();
    drop(standard, "buried");
    put(standard, "more", "v");
    standard.nextSegment();
    const rewrite = async (place: number): Promise<void> => {
        const segment = standard.segments.closed[place];
        if (segment) await standard.upkeep.rewrite([segment]);
        const { standard: again } = await openStore("/data", { disk: disk.copy() });
        expect(scanned(again)).toEqual(["other", "more"]);
    };
    const isNamed = (name: string): boolean => disk.contents(`/data/default/${name}`).includes("buried");

    await rewrite(1);
    expect([isNamed("d0"), isNamed("d1")]).toEqual([true, true]);
    await rewrite(0);
    expect([isNamed("d0"), isNamed("d1")]).toEqual([false, true]);
    await rewrite(1);
    expect([isNamed("d0"), isNamed("d1")]).toEqual([false, false]);
});

/** A namespace with closed segments that have sidecars, and everything that is to be read from it. */
async function listed() {
    const disk = new MemoryDisk("/data");
    const store = await openStore("/data", { disk, segmentBytes: 400 });
    const { standard } = store;
    for (let round = 0; round < 12; round++) put(standard, `k${round % 8}`, `value ${round} ${"v".repeat(50)}`);
    const { segments, sidecars } = standard;
    for (const segment of segments.closed) await buildSidecar(disk, segments, sidecars, segment, new Slices());
    return { ...store, disk, keys: ["k4", "k5", "k6", "k7", "k0", "k1", "k2", "k3"] };
}

const scanned = (namespace: Namespace): string[] =>
    scanNamespace(namespace, undefined, 1, { entries: 99, ms: 60_000 }).entries.map(({ key }) => key.toString("latin1"));

describe.each<[string, (disk: MemoryDisk, file: string) => void]>([
    ["are removed", (disk, file) => disk.remove(file)],
    ["are overwritten", (disk, file) => disk.replace(file, Buffer.alloc(500, "x"))],
    ["have a damaged block", (disk, file) => disk.replace(file, Buffer.concat([disk.contents(file).subarray(0, -1), Buffer.from("x")]))],
])("sidecars that %s while the server runs", (_what, damage) => {
    test("take nothing away from a scan", async () => {
        const { standard, disk, keys } = await listed();
        for (const name of disk.list("/data/.index/default")) damage(disk, `/data/.index/default/${name}`);
        for (let attempts = 0; ; attempts++) {
            try {
                expect(scanned(standard)).toEqual(keys);
                break;
            } catch (error) {
                // A damaged one is found out by an error, and not asked again.
                if (!(error instanceof DamagedBlock) || attempts > standard.segments.closed.length) throw error;
            }
        }
    });

    test("take nothing away from what is rewritten", async () => {
        const { standard, disk, keys, namespaces } = await listed();
        for (const name of disk.list("/data/.index/default")) damage(disk, `/data/.index/default/${name}`);
        const { closed } = standard.segments;
        for (let attempts = 0; attempts <= closed.length; attempts++) await standard.upkeep.rewrite(closed).catch(() => undefined);
        expect(scanned(standard)).toEqual(keys);
        for (const key of keys) expect(readValue(standard, key)).toContain("value");
        await namespaces.close();
        const again = await openStore("/data", { disk });
        expect(scanned(again.standard)).toEqual(keys);
    });
});

test("a closed segment that was damaged while the server runs is not rewritten", async () => {
    const { standard, disk, keys } = await listed();
    disk.remove("/data/.index/default/i1");
    disk.write(disk.openForAppend("/data/default/d1"), Buffer.alloc(30), 0, 30, 130);
    await expect(standard.upkeep.rewrite(standard.segments.closed)).rejects.toThrow("record at d1 offset 128 is unreadable");
    expect(keys.filter((key) => isReadable(standard, key)).length).toBeGreaterThan(5);
});

function isReadable(namespace: Namespace, key: string): boolean {
    try {
        return readValue(namespace, key) !== undefined;
    } catch {
        return false;
    }
}
