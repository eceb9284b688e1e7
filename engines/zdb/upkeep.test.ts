import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { eventually } from "../../test/zdb/eventually.ts";
import { ManualTimers } from "../../test/zdb/manual-timers.ts";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { bytes, drop, openStore, put, readValue } from "../../test/zdb/store.ts";
import { Upkeep } from "./upkeep.ts";

test("nothing is done before the call that asks for it has returned", async () => {
    const upkeep = new Upkeep({ timers: new ManualTimers(), log: () => undefined });
    let pieces = 0;
    const namespace = {
        name: "events",
        tidy: async () => ++pieces < 3,
        mayHelp: () => undefined,
        untidied: () => undefined,
    };
    upkeep.wants(namespace);
    expect(pieces).toBe(0);
    await eventually(() => expect(pieces).toBe(3));
});

test.each([true, false])("segments are rewritten or stay as they are, for whoever copies them: %s", async (compacts) => {
    const disk = new MemoryDisk("/data");
    const { standard } = await openStore("/data", { disk, segmentBytes: 600, upkeep: (parts) => new Upkeep({ ...parts, compacts }) });
    for (let round = 0; round < 60; round++) {
        put(standard, "k", `${round} `.repeat(60));
        await setImmediate();
    }
    await eventually(() => expect(standard.segments.closed.every(({ marks }) => marks === undefined)).toBe(true));
    expect(standard.measures.compactions > 0).toBe(compacts);
    expect(disk.list("/data/default").length > 30).toBe(!compacts);
});

test("a checkpoint that a write asked for names no record that a power loss may take", async () => {
    const disk = new MemoryDisk("/data");
    const options = { durability: { kind: "none" }, mode: "seq", checkpointBytes: 100 } as const;
    const { standard } = await openStore("/data", { ...options, disk, upkeep: (parts) => new Upkeep(parts) });
    const key = standard.set(Buffer.alloc(0), bytes("x".repeat(100)), 1).key.toString("latin1");
    // No page of the index is left to be copied: nothing stands between the beginning of the checkpoint and its end.
    drop(standard, key);
    await eventually(() => expect(disk.exists("/data/.index/default/checkpoint")).toBe(true));

    const { lines, standard: after } = await openStore("/data", { ...options, disk: disk.afterPowerLoss() });
    expect(lines).toEqual([]);
    expect(readValue(after, key)).toBeUndefined();
    expect(after.log.lastLsn).toBeGreaterThanOrEqual(2);
});
