import { expect, test } from "vitest";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { bytes, openStore, put, readValue } from "../../test/zdb/store.ts";
import { verifyValue } from "./namespace-reading.ts";

test("a key that was overwritten lately is overwritten without reading the disk, and each namespace has its own", async () => {
    const disk = new MemoryDisk("/data");
    const { standard, namespaces } = await openStore("/data", { disk });
    const other = await namespaces.create("other");
    for (const round of ["first", "next"]) for (const namespace of [standard, other]) put(namespace, "k", `${round} of ${namespace.name}`);
    for (const { log } of [standard, other]) log.write();
    const before = disk.readBytes;
    const written = [standard, other].map((namespace) => namespace.set(bytes("k"), bytes("second"), 1).lsn);
    expect(disk.readBytes).toBe(before);
    expect(written).toEqual([standard, other].map(({ log }) => log.lastLsn));
    expect(readValue(standard, "k")).toBe("second");
});

test("what is remembered of a record that was taken back is not believed", async () => {
    const disk = new MemoryDisk("/data");
    const { standard } = await openStore("/data", { disk });
    put(standard, "k", "before");
    put(standard, "k", "kept");
    standard.log.write();
    standard.set(bytes("k"), bytes("lost"), 1);
    disk.capacity = disk.usedBytes;
    standard.log.write();
    expect(readValue(standard, "k")).toBe("kept");
    expect(standard.find(bytes("k"))?.head.lsn).toBe(2);
});

test("whether a value is intact is asked of the disk", async () => {
    const disk = new MemoryDisk("/data");
    const { standard } = await openStore("/data", { disk });
    put(standard, "k", "value");
    standard.log.write();
    const place = standard.find(bytes("k"))?.place;
    disk.write(disk.openForAppend("/data/default/d0"), Buffer.alloc(8), 0, 8, place?.offset ?? 0);
    expect(verifyValue(standard, bytes("k")).verdict).toBe("unreadable");
});
