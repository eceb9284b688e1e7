import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { MemoryNamespace } from "../../test/zstor/memory-network.ts";
import { backendsOf, METADATA, MemoryStore, SETTINGS } from "../../test/zstor/memory-store.ts";
import { SEALED_CHUNK_BYTES } from "./chunk.ts";
import type { StripeId } from "./record.ts";
import { type Packed, planRepack } from "./repack-plan.ts";
import { statusOf } from "./status.ts";
import type { Store, StoreParts } from "./store.ts";
import { storedBytesOf } from "./stripe-builder.ts";

const BACKENDS = [0, 1, 2, 3, 4, 5, 6];
const SMALL_BYTES = 4096;
const HOUR_MS = 3_600_000;

async function opened(more: Partial<StoreParts> = {}) {
    const memory = new MemoryStore();
    await memory.create();
    return { memory, store: await memory.open(more) };
}

async function putSmall(memory: MemoryStore, store: Store, count: number, size = SMALL_BYTES): Promise<Map<string, Buffer>> {
    const contents = new Map<string, Buffer>();
    for (let index = 0; index < count; index++) {
        const content = memory.random.bytes(size);
        contents.set(`small/${index}`, content);
        await memory.put(store, `small/${index}`, content);
    }
    return contents;
}

async function expectAll(memory: MemoryStore, store: Store, contents: ReadonlyMap<string, Buffer>): Promise<void> {
    for (const [name, content] of contents) expect((await memory.get(store, name)).equals(content)).toBe(true);
}

/** Keys and values, of every namespace. */
function heldBytes(memory: MemoryStore): number {
    const of = ({ values }: MemoryNamespace) => [...values].reduce((sum, [key, { value }]) => sum + key.length + value.length, 0);
    return [...BACKENDS.map((index) => of(memory.backend(index))), ...METADATA.map((_, index) => of(memory.replica(index)))].reduce(
        (sum, bytes) => sum + bytes,
        0,
    );
}

describe("small objects", () => {
    test("that came one by one take at most twice what large ones would, metadata replicas counted", async () => {
        const { memory, store } = await opened();
        const contents = await putSmall(memory, store, 300);
        const before = statusOf(store);
        expect(before.storedBytes).toBe(300 * 3 * (SMALL_BYTES + 16));
        expect(await memory.clock.run(store.caretaker.repack())).toMatchObject({ stripes: 300 });
        const { stripes, storedBytes, liveBytes } = statusOf(store);
        expect(liveBytes).toBe(300 * (SMALL_BYTES + 16));
        expect(storedBytes).toBeLessThan(1.05 * 1.5 * liveBytes);
        expect(stripes).toBe(1);
        expect(heldBytes(memory)).toBeLessThanOrEqual(2 * 1.5 * 300 * SMALL_BYTES);
        await expectAll(memory, store, contents);
        expect(await memory.clock.run(store.caretaker.repack())).toEqual({ stripes: 0, movedBytes: 0 });
        // Whatever a loss takes, they are as safe as before.
        for (const index of [1, 4]) memory.backend(index).isDown = true;
        await expectAll(memory, store, contents);
        const again = await memory.open();
        await expectAll(memory, again, contents);
    });

    test("are packed by themselves once they are old enough, a few at a time and when nothing else is to be done", async () => {
        const { memory, store } = await opened({ repackAfterMs: 60_000 });
        const contents = await putSmall(memory, store, 20);
        store.caretaker.start();
        await memory.clock.pass(30_000);
        expect(store.view.totals().stripes).toBe(20);
        await memory.clock.pass(60_000);
        expect(store.view.totals().stripes).toBe(1);
        await expectAll(memory, store, contents);
        await memory.clock.run(store.close());
    });

    test("leave few orphans while their new place cannot be named, and are packed once it can", async () => {
        const { memory, store } = await opened({ repackAfterMs: 60_000 });
        const contents = await putSmall(memory, store, 20);
        const held = () => BACKENDS.reduce((sum, index) => sum + memory.backend(index).values.size, 0);
        const before = held();
        store.caretaker.start();
        for (const index of [2, 3]) memory.replica(index).isDown = true;
        await memory.clock.pass(HOUR_MS);
        const orphans = (held() - before) / (SETTINGS.dataShards + SETTINGS.parityShards);
        expect(orphans).toBeGreaterThanOrEqual(1);
        // Pauses of half at least of 10, 20, 40 ... 1800 seconds.
        expect(orphans).toBeLessThanOrEqual(12);
        for (const index of [2, 3]) memory.replica(index).isDown = false;
        await memory.clock.pass(HOUR_MS);
        expect(store.view.totals().stripes).toBe(1);
        await expectAll(memory, store, contents);
        await memory.clock.run(store.close());
    });

    test("that are alone stay where they are", async () => {
        const { memory, store } = await opened();
        await putSmall(memory, store, 1);
        await memory.put(store, "large", memory.random.bytes(3_000_000));
        expect(await memory.clock.run(store.caretaker.repack())).toMatchObject({ stripes: 0 });
    });

    test("are not moved to where they would be less safe", async () => {
        const memory = new MemoryStore();
        await memory.create({ backends: backendsOf(6) });
        const store = await memory.open();
        const contents = await putSmall(memory, store, 12);
        memory.backend(2).isDown = true;
        await memory.clock.pass(20_000);
        await expect(memory.clock.run(store.caretaker.repack())).rejects.toMatchObject({ failure: "no-room" });
        expect(store.view.totals().stripes).toBe(12);
        await expectAll(memory, store, contents);
    });
});

test("stripes of which most is deleted are packed anew, and the space comes back", async () => {
    const { memory, store } = await opened();
    const names = Array.from({ length: 60 }, (_, index) => `object ${index}`);
    const contents = new Map(names.map((name) => [name, memory.random.bytes(30_000)]));
    await memory.clock.run(Promise.all([...contents].map(([name, content]) => store.put(name, [content] as never))));
    await memory.clock.run(store.caretaker.repack());
    const before = statusOf(store).storedBytes;
    for (const name of names.slice(0, 50)) {
        await memory.clock.run(store.remove(name));
        contents.delete(name);
    }
    await memory.clock.run(store.caretaker.round());
    expect(statusOf(store).storedBytes).toBeGreaterThan(before / 2);
    expect((await memory.clock.run(store.caretaker.repack())).stripes).toBeGreaterThan(0);
    expect(statusOf(store).storedBytes).toBeLessThan(before / 5);
    expect(BACKENDS.reduce((sum, index) => sum + memory.backend(index).usedBytes, 0)).toBe(statusOf(store).storedBytes);
    await expectAll(memory, store, contents);
});

test("a reader that is under way does not notice, also when what it was about to fetch is freed", async () => {
    const { memory, store } = await opened();
    const content = memory.random.bytes(300_000);
    await memory.put(store, "object", content);
    await putSmall(memory, store, 5, 200_000);
    for (const index of BACKENDS) memory.backend(index).delayMs = 50;
    const { bytes } = await store.get("object");
    const reading = (async () => {
        const parts: Buffer[] = [];
        for await (const part of bytes) parts.push(part);
        return Buffer.concat(parts);
    })();
    const [found, { stripes }] = await memory.clock.run(Promise.all([reading, store.caretaker.repack()]));
    expect(stripes).toBeGreaterThan(1);
    expect(found.equals(content)).toBe(true);
});

test("what a front end had written of a move when it ended is swept, and the move is done by the next one", async () => {
    const { memory, store } = await opened({ sweepDelayMs: 60_000 });
    const contents = await putSmall(memory, store, 12);
    for (const index of [1, 2, 3]) memory.replica(index).isDown = true;
    await expect(memory.clock.run(store.caretaker.repack())).rejects.toMatchObject({ failure: "no-quorum" });
    for (const index of [1, 2, 3]) memory.replica(index).isDown = false;
    const again = await memory.open({ sweepDelayMs: 60_000 });
    await expectAll(memory, again, contents);
    await memory.clock.run(again.caretaker.repack());
    await memory.clock.run(again.caretaker.sweep());
    await memory.clock.pass(70_000);
    await memory.clock.run(again.caretaker.sweep());
    expect(BACKENDS.reduce((sum, index) => sum + memory.backend(index).usedBytes, 0)).toBe(statusOf(again).storedBytes);
    await expectAll(memory, again, contents);
});

test("what a front end had moved and not freed when it ended is freed by the next one, whatever it knows", async () => {
    const { memory, store } = await opened();
    const contents = await putSmall(memory, store, 12);
    await memory.clock.run(store.caretaker.repacker.pass((work) => work()));
    expect(statusOf(store).storedBytes).toBeGreaterThan(2 * 1.5 * 12 * SMALL_BYTES);
    const again = await memory.open({}, METADATA.slice(0, 1));
    await expectAll(memory, again, contents);
    await memory.clock.run(again.caretaker.round());
    expect(again.view.totals().stripes).toBe(1);
    expect(BACKENDS.reduce((sum, index) => sum + memory.backend(index).usedBytes, 0)).toBe(statusOf(again).storedBytes);
    await expectAll(memory, again, contents);
});

describe("a plan", () => {
    const INTO = { dataShards: SETTINGS.dataShards, parityShards: SETTINGS.parityShards, settledMs: 1000 };
    const stripe = (index: number, sizes: readonly number[], createdMs = 0): [Packed, readonly number[]] => {
        const id = index.toString(16).padStart(24, "0") as StripeId;
        const liveBytes = sizes.reduce((sum, size) => sum + size, 0);
        return [{ id, createdMs, liveBytes, storedBytes: storedBytesOf(sizes, INTO.dataShards, INTO.parityShards) }, sizes];
    };
    const storedIn = (stripes: readonly [Packed, readonly number[]][]) => stripes.reduce((sum, [{ storedBytes }]) => sum + storedBytes, 0);
    const planned = (stripes: readonly [Packed, readonly number[]][]) => {
        const sizes = new Map(stripes.map(([{ id }, each]) => [id, each]));
        return planRepack(
            stripes.map(([packed]) => packed),
            { ...INTO, sizesOf: (id) => sizes.get(id) },
        );
    };

    test("waits for company while stripes are young, but not when they fill one", () => {
        const young = Array.from({ length: 5 }, (_, index) => stripe(index, [4112], 2000));
        expect(planned(young)).toBeUndefined();
        expect(planned(young.map(([packed, sizes]) => [{ ...packed, createdMs: 0 }, sizes]))).toHaveLength(5);
        expect(planned(Array.from({ length: 12 }, (_, index) => stripe(index, [SEALED_CHUNK_BYTES], 2000)))).toHaveLength(12);
    });

    test("comes to an end, moves each chunk a few times, and makes nothing larger, whatever there is", () => {
        const sizes = fc.array(fc.integer({ min: 17, max: SEALED_CHUNK_BYTES }), { minLength: 1, maxLength: 3 });
        fc.assert(
            fc.property(fc.array(sizes, { minLength: 1, maxLength: 120 }), (all) => {
                let stripes = all.map((each, index) => stripe(index, each));
                const before = storedIn(stripes);
                let serial = all.length;
                let moved = 0;
                for (let plan = planned(stripes); plan !== undefined; plan = planned(stripes)) {
                    const group = new Set(plan);
                    const merged = stripes.filter(([{ id }]) => group.has(id)).flatMap(([, each]) => each);
                    moved += merged.length;
                    stripes = [...stripes.filter(([{ id }]) => !group.has(id)), stripe(serial++, merged)];
                }
                expect(moved).toBeLessThanOrEqual(6 * all.flat().length);
                expect(storedIn(stripes)).toBeLessThanOrEqual(before);
            }),
            { numRuns: 60, seed: Number(process.env.ZEROFORM_SEED ?? 1) },
        );
    });
});
