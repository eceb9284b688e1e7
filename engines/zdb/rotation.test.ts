import { expect, onTestFinished, test } from "vitest";
import { ManualTimers } from "../../test/zdb/manual-timers.ts";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { openStore, put } from "../../test/zdb/store.ts";
import { Rotation } from "./rotation.ts";

test("a namespace that was written to goes on in another segment after the time, one that was not stays", async () => {
    const timers = new ManualTimers();
    const { namespaces, standard } = await openStore("/data", { disk: new MemoryDisk("/data"), timers });
    const other = await namespaces.create("other");
    put(standard, "before", "the start");
    const rotation = new Rotation({ timers, seconds: 10, namespaces: () => namespaces.all(), log: () => undefined });
    rotation.start();
    onTestFinished(() => rotation.stop());

    timers.advance(30_000);
    expect(standard.log.activeSegment).toBe(0);
    put(standard, "a", "1");
    timers.advance(1000);
    expect(standard.log.activeSegment).toBe(1);
    put(standard, "b", "2");
    timers.advance(9000);
    expect(standard.log.activeSegment).toBe(1);
    timers.advance(3000);
    expect(standard.log.activeSegment).toBe(2);
    timers.advance(60_000);
    expect([standard.log.activeSegment, other.log.activeSegment]).toEqual([2, 0]);
});
