import { expect, test } from "vitest";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { openStore, put } from "../../test/zdb/store.ts";
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
