import { expect, test } from "vitest";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { openStore, put } from "../../test/zdb/store.ts";
import { scanNamespace } from "./namespace-reading.ts";
import { buildSidecar } from "./sidecar-building.ts";
import { SidecarWriter } from "./sidecar-writer.ts";
import { Slices } from "./slices.ts";

test("a segment that cannot be opened leaves no file of its sidecar open", async () => {
    const disk = new MemoryDisk("/data");
    const { standard } = await openStore("/data", { disk, openFiles: 1 });
    for (const key of ["a", "b", "c"]) {
        put(standard, key, "value");
        standard.nextSegment();
    }
    const { segments, sidecars } = standard;
    const [first] = segments.closed;
    if (!first) throw new Error("no segment is closed");
    disk.unreadable.add("/data/default/d0");
    const before = disk.openFiles;
    await expect(buildSidecar(disk, segments, sidecars, first, new Slices())).rejects.toThrow("EIO");
    expect(disk.openFiles).toBe(before);
    disk.unreadable.clear();
    await buildSidecar(disk, segments, sidecars, first, new Slices());
    expect(disk.exists("/data/.index/default/i0")).toBe(true);
});

test("with sidecars neither a start without a checkpoint nor a scan reads values, but those of the last segment that has any", async () => {
    const disk = new MemoryDisk("/data");
    const { standard } = await openStore("/data", { disk });
    const keys = Array.from({ length: 40 }, (_, number) => `key-${number}`);
    for (const [place, key] of keys.entries()) {
        put(standard, key, "v".repeat(50_000));
        if (place % 10 === 9) standard.nextSegment();
    }
    const { segments, sidecars } = standard;
    for (const segment of segments.closed) await buildSidecar(disk, segments, sidecars, segment, new Slices());
    const killed = disk.copy();
    const again = await openStore("/data", { disk: killed });
    const scanned = scanNamespace(again.standard, undefined, 1, { entries: 99, ms: 60_000 }).entries;
    expect(scanned.map(({ key, length }) => [key.toString(), length])).toEqual(keys.map((key) => [key, 50_000]));
    expect(again.standard.liveBytes).toBe(40 * 50_000);
    expect(killed.readBytes).toBeLessThan(11 * 50_000);
});

test("a sidecar that is given up is closed once, also when its file cannot be removed", () => {
    class Unremovable extends MemoryDisk {
        isStuck = false;

        override remove(file: string): void {
            if (this.isStuck) throw Object.assign(new Error("EIO"), { code: "EIO" });
            super.remove(file);
        }
    }
    const disk = new Unremovable("/data");
    const writer = new SidecarWriter(disk, "/data/i0");
    disk.isStuck = true;
    writer.abandon();
    expect(disk.openFiles).toBe(0);
    disk.isStuck = false;
    new SidecarWriter(disk, "/data/i0").abandon();
    expect(disk.list("/data")).toEqual([]);
});
