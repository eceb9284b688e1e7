import fc from "fast-check";
import { expect, it } from "vitest";
import { place, shardsLeft } from "../../engines/zstor/placement.ts";
import { statusOf } from "../../engines/zstor/status.ts";
import { backendsOf, MemoryStore, SETTINGS } from "../../test/zstor/memory-store.ts";
import { metadataFor, partsFor, refusalOf } from "./dispersed-layout.ts";

const MIB = 2 ** 20;
const SEED = Number(process.env.ZEROFORM_SEED ?? 1);
const layout = (dataShards: number, parityShards: number, redundantGroups: number) => ({ dataShards, parityShards, redundantGroups });

/** The places as the engine sees them. */
const candidatesOn = (places: number, parts: number) =>
    Array.from({ length: places * parts }, (_, index) => ({
        id: index,
        group: `place ${index % places}`,
        disk: `${index}`,
        weight: 1,
        freeBytes: 2 ** 40,
    }));

it("asks for what the engine can place, and names numbers that would do", () => {
    fc.assert(
        fc.property(
            fc.integer({ min: 1, max: 9 }),
            fc.integer({ min: 1, max: 6 }),
            fc.integer({ min: 1, max: 4 }),
            fc.nat(3),
            (...numbers) => {
                const [places, dataShards, parityShards, redundantGroups] = numbers;
                const wanted = layout(dataShards, parityShards, redundantGroups);
                const { partsOfPlace } = partsFor(2 ** 30, places, wanted);
                const policy = { ...wanted, redundantNodes: 0 };
                const empty = Array.from({ length: dataShards + parityShards }, () => undefined);
                const on = (count: number) =>
                    place({ policy, present: empty, implicit: new Set(), candidates: candidatesOn(count, partsOfPlace), shardBytes: 1 });
                const refusal = refusalOf(places, metadataFor(redundantGroups), wanted);
                expect(refusal === undefined).toBe(on(places).holds);
                if (refusal !== undefined || places === redundantGroups) return;
                // What is left after the loss takes whole stripes.
                const left = on(places - redundantGroups);
                expect(left.missing).toEqual([]);
                expect(shardsLeft({ ...policy, redundantGroups: 0 }, left.backends, new Set())).toBe(dataShards + parityShards);
            },
        ),
        { seed: SEED },
    );
});

it.each<[string, Parameters<typeof refusalOf>, string, string]>([
    ["no whole number", [4, 4, layout(4, 0, 1)], "parityShards", "write a whole number from 1"],
    [
        "too few places",
        [2, 3, layout(4, 2, 1)],
        "redundantGroups",
        "a loss of 1 of 2 places takes 3 of 6 shards, and parityShards 2 makes up for 2: name 3 places, or write other numbers",
    ],
    [
        "more than any number of places bears",
        [9, 9, layout(4, 2, 3)],
        "redundantGroups",
        "a loss of 3 places takes at least so many shards: write parityShards: 3 or more",
    ],
    [
        "too little metadata",
        [3, 2, layout(4, 2, 1)],
        "metadata",
        "2 copies bear the loss of 0, and redundantGroups is 1: name at least 3 machines",
    ],
    [
        "too little metadata for two",
        [6, 6, layout(4, 2, 2)],
        "metadata",
        "6 copies bear the loss of 1, and redundantGroups is 2: name at least 7 machines",
    ],
])("refuses %s", (_, given, argument, reason) => {
    expect(refusalOf(...given)).toEqual({ argument, reason });
});

it("takes what three places and the usual numbers are", () => {
    expect(refusalOf(3, 3, layout(4, 2, 1))).toBeUndefined();
    expect(refusalOf(1, 1, layout(1, 1, 0))).toBeUndefined();
    expect(refusalOf(7, 7, layout(4, 2, 2))).toBeUndefined();
});

it("has the room that objects of some MiB really take, also when a place is lost and all is made again on the others", async () => {
    const wanted = layout(4, 2, 1);
    const places = 3;
    const sizes = [2 * MIB, 2.1 * MIB, 3 * MIB, 4 * MIB, 4.2 * MIB, 9 * MIB].map(Math.floor);
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    const { partsOfPlace, partBytes } = partsFor(bytes, places, wanted);
    const memory = new MemoryStore();
    const backends = backendsOf(places * partsOfPlace, places);
    await memory.create({ backends, settings: { ...SETTINGS, redundantGroups: 1 } });
    for (const index of backends.keys()) memory.backend(index).limitBytes = partBytes;
    const store = await memory.open({ deadAfterMs: 0 });
    for (const size of sizes) await memory.put(store, `of ${size} bytes`, memory.random.bytes(size));

    const { storedBytes } = statusOf(store);
    const room = partBytes - 16 * MIB;
    expect(storedBytes).toBeGreaterThan(1.5 * bytes);
    expect(storedBytes).toBeLessThan((places - 1) * partsOfPlace * room);

    // The first place is gone, and each of the others has its share.
    for (const [index, { group }] of backends.entries()) memory.backend(index).isDown = group === "g0";
    await memory.clock.pass(60_000);
    for (let round = 0; round < 10; round++) await memory.clock.run(store.caretaker.round());
    expect(statusOf(store)).toMatchObject({ owed: 0, spare: { 2: expect.any(Number) } });
});
