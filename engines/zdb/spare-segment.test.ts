import { expect, test } from "vitest";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { openStore, put, readValue } from "../../test/zdb/store.ts";

const SEGMENT = { segmentBytes: 600, durability: { kind: "none" } } as const;
/** One of them takes more than half of a segment, two do not fit into one. */
const VALUE = "v".repeat(300);

/** Remembers what was brought to the disk, and what got its name. */
class TellingDisk extends MemoryDisk {
    readonly told: string[] = [];
    failsNextSync = false;
    private isTelling = false;

    listen(): void {
        this.isTelling = true;
    }

    override rename(from: string, to: string): void {
        this.tell(`rename ${from.slice(from.lastIndexOf("/") + 1)}`);
        super.rename(from, to);
    }

    override async sync(fd: number): Promise<void> {
        this.tell("sync");
        if (this.failsNextSync) {
            this.failsNextSync = false;
            throw Object.assign(new Error("EIO"), { code: "EIO" });
        }
        await super.sync(fd);
    }

    override syncNow(fd: number): void {
        this.tell("sync now");
        super.syncNow(fd);
    }

    override syncDirectory(): void {
        this.tell("sync directory");
        super.syncDirectory();
    }

    private tell(what: string): void {
        if (this.isTelling) this.told.push(what);
    }
}

test("a segment begins in the file that was made for it; nothing of it counts as synced before its name is", async () => {
    const disk = new TellingDisk("/data");
    const { standard, namespaces } = await openStore("/data", { disk, ...SEGMENT });
    put(standard, "a", VALUE);
    standard.log.write();
    expect(disk.list("/data/default").sort()).toEqual(["d0", "d1.new"]);
    await standard.log.commit();
    disk.listen();
    put(standard, "b", VALUE);
    await standard.log.commit();
    // The end of the one before, the header of the next, its name; then its records and the name together.
    expect(disk.told).toEqual(["sync now", "sync now", "rename d1.new", "sync", "sync", "sync directory"]);
    await namespaces.close();
    expect(disk.list("/data/default").sort()).toEqual(["d0", "d1"]);
    expect(disk.openFiles).toBe(0);
    const again = await openStore("/data", { disk: disk.afterPowerLoss() });
    expect(readValue(again.standard, "a")).toBe(VALUE);
    expect(readValue(again.standard, "b")).toBe(VALUE);
});

test("the next but one brings the name of the one before to the disk first", async () => {
    const disk = new TellingDisk("/data");
    const { standard } = await openStore("/data", { disk, ...SEGMENT });
    put(standard, "a", VALUE);
    await new Promise((resolve) => setImmediate(resolve));
    put(standard, "b", VALUE);
    await new Promise((resolve) => setImmediate(resolve));
    disk.listen();
    put(standard, "c", VALUE);
    expect(disk.told.slice(0, 3)).toEqual(["sync now", "sync directory", "sync now"]);
});

test("a file that could not be brought to the disk is not used: the segment gets another one", async () => {
    const disk = new TellingDisk("/data");
    const { standard, namespaces } = await openStore("/data", { disk, ...SEGMENT });
    disk.failsNextSync = true;
    put(standard, "a", VALUE);
    standard.log.write();
    await new Promise((resolve) => setImmediate(resolve));
    expect(disk.list("/data/default")).toEqual(["d0"]);
    put(standard, "b", VALUE);
    await namespaces.close();
    expect(disk.openFiles).toBe(0);
    expect((await openStore("/data", { disk: disk.afterPowerLoss() })).standard.entries).toBe(2);
});

test("one that a kill left behind is in nobody's way", async () => {
    const disk = new MemoryDisk("/data");
    const { standard } = await openStore("/data", { disk, ...SEGMENT });
    put(standard, "a", VALUE);
    standard.log.write();
    const left = disk.copy();
    const { standard: again, lines } = await openStore("/data", { disk: left, ...SEGMENT });
    expect(lines).toEqual([]);
    put(again, "b", VALUE);
    again.log.write();
    expect(left.list("/data/default").sort()).toEqual(["d0", "d1", "d2.new"]);
});

test("a file whose sync is under way when the segment is begun is left alone: its failure may be that of the header too", async () => {
    const disk = new TellingDisk("/data");
    const { standard, namespaces } = await openStore("/data", { disk, ...SEGMENT });
    disk.holdSyncs = true;
    put(standard, "a", VALUE);
    disk.listen();
    put(standard, "b", VALUE);
    expect(disk.told).not.toContain("rename d1.new");
    expect(disk.list("/data/default").sort()).toEqual(["d0", "d1", "d2.new"]);
    expect(readValue(standard, "b")).toBe(VALUE);
    const closed = namespaces.close().then(() => disk.openFiles);
    await new Promise((resolve) => setImmediate(resolve));
    disk.releaseSyncs();
    expect(await closed).toBe(0);
});

test("a file that can neither be given its name nor be removed is open no longer", async () => {
    const disk = new TellingDisk("/data");
    const { standard, namespaces } = await openStore("/data", { disk, ...SEGMENT });
    put(standard, "a", VALUE);
    await standard.log.commit();
    const [rename, remove] = [disk.rename.bind(disk), disk.remove.bind(disk)];
    disk.rename = disk.remove = () => {
        throw Object.assign(new Error("EIO"), { code: "EIO" });
    };
    expect(() => put(standard, "b", VALUE)).toThrow("Cannot write data right now (EIO)");
    Object.assign(disk, { rename, remove });
    put(standard, "b", VALUE);
    await namespaces.close();
    expect(disk.openFiles).toBe(0);
});
