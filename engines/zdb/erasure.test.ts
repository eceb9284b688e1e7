import { expect, onTestFinished, test, vi } from "vitest";
import { ManualTimers } from "../../test/zdb/manual-timers.ts";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { drop, openStore, put, readValue, type Store } from "../../test/zdb/store.ts";
import { Erasure } from "./erasure.ts";
import { Upkeep } from "./upkeep.ts";

const HOUR_MS = 3_600_000;
const HOURS = 24;

const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
};

async function openErasing(disk: MemoryDisk, timers: ManualTimers): Promise<Store> {
    const store = await openStore("/data", { disk, timers, segmentBytes: 2000, upkeep: (parts) => new Upkeep(parts) });
    const erasure = new Erasure({ timers, hours: HOURS, namespaces: () => store.namespaces.all() });
    erasure.start();
    onTestFinished(() => erasure.stop());
    return store;
}

/** Whether a text is anywhere in the files of the namespace. */
function holds(disk: MemoryDisk, text: string): boolean {
    const files = ["/data/default", "/data/.index/default"].flatMap((directory) =>
        disk.exists(directory) ? disk.list(directory).map((name) => `${directory}/${name}`) : [],
    );
    return files.some((file) => disk.contents(file).includes(text));
}

async function pass(timers: ManualTimers, hours: number): Promise<void> {
    for (let hour = 0; hour < hours; hour++) {
        timers.advance(HOUR_MS);
        await settled();
    }
}

test("what was overwritten or deleted is gone in time, out of closed segments and the one that is appended to, though nobody writes", async () => {
    const disk = new MemoryDisk("/data");
    const timers = new ManualTimers();
    const { standard, lines } = await openErasing(disk, timers);
    for (let key = 0; key < 20; key++) put(standard, `key-${key}`, `${key}.`.padEnd(300, "v"));
    put(standard, "secret", "buried treasure in a closed segment");
    for (let key = 20; key < 40; key++) put(standard, `key-${key}`, `${key}.`.padEnd(300, "v"));
    put(standard, "other", "open secret of the last segment");
    const { length } = standard.segments.all;
    drop(standard, "secret");
    put(standard, "other", "nothing to see");
    await settled();
    expect([holds(disk, "buried treasure"), holds(disk, "open secret")]).toEqual([true, true]);

    await pass(timers, HOURS - 3);
    expect(holds(disk, "buried treasure")).toBe(true);
    await pass(timers, 3);
    expect([holds(disk, "buried treasure"), holds(disk, "open secret"), holds(disk, "secret")]).toEqual([false, false, false]);
    expect(standard.segments.all.length).toBeLessThanOrEqual(length + 1);
    expect(lines).toEqual([]);

    // Then it has nothing more to do.
    const { compactions } = standard.measures;
    await pass(timers, 3 * HOURS);
    expect(standard.measures.compactions).toBe(compactions);
    const { standard: again } = await openStore("/data", { disk: disk.copy() });
    expect(again.entries).toBe(41);
    expect(readValue(again, "other")).toBe("nothing to see");
});

test("a restart does not begin the time anew", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    const disk = new MemoryDisk("/data");
    const first = await openErasing(disk, new ManualTimers());
    put(first.standard, "secret", "buried treasure");
    put(first.standard, "key", "value");
    drop(first.standard, "secret");
    await first.namespaces.close();

    vi.setSystemTime(Date.now() + (HOURS - 2) * HOUR_MS);
    const timers = new ManualTimers();
    const second = await openErasing(disk, timers);
    expect(holds(disk, "buried treasure")).toBe(true);
    await pass(timers, 1);
    expect(holds(disk, "buried treasure")).toBe(false);
    expect(readValue(second.standard, "key")).toBe("value");
    await second.namespaces.close();
});

test("an unused namespace stays as it is: its mode can still be chosen", async () => {
    const disk = new MemoryDisk("/data");
    const timers = new ManualTimers();
    const { standard } = await openErasing(disk, timers);
    await standard.setProperty({ name: "public", text: "0" });
    await standard.setProperty({ name: "public", text: "1" });
    await pass(timers, 2 * HOURS);
    expect(standard.log.activeSegment).toBe(0);
    expect(standard.wasUsed).toBe(false);
});
