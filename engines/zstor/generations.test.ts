import { expect, test } from "vitest";
import { backendsOf, MemoryStore, piecesOf, SETTINGS } from "../../test/zstor/memory-store.ts";
import { Layouts } from "./layouts.ts";
import { CHUNK_BYTES, DRAFT_STRIPES, SHARD_CHUNKS } from "./limits.ts";
import { StoreError } from "./object-api.ts";
import type { StoreParts } from "./store.ts";
import { pause } from "./surroundings.ts";
import { View } from "./view.ts";

/** One data shard a stripe: what has so many stripes is small. */
const NARROW = { ...SETTINGS, dataShards: 1, parityShards: 1 };
const DELAY_MS = 60_000;
const STRIPE_BYTES = SHARD_CHUNKS * CHUNK_BYTES;

async function opened(more: Partial<StoreParts> = {}) {
    const memory = new MemoryStore();
    await memory.create({ settings: NARROW, backends: backendsOf(3) });
    return { memory, store: await memory.open(more) };
}

test("what is put while a removal is under way is another generation than that", async () => {
    const { memory, store } = await opened();
    await memory.put(store, "object", Buffer.from("before"));
    const content = memory.random.bytes((DRAFT_STRIPES + 10) * STRIPE_BYTES);
    // The first stripes are there as a draft when what is older is forgotten.
    async function* inTwoParts() {
        yield* piecesOf(content.subarray(0, (DRAFT_STRIPES + 8) * STRIPE_BYTES));
        await store.caretaker.round();
        yield* piecesOf(content.subarray((DRAFT_STRIPES + 8) * STRIPE_BYTES));
    }
    await memory.clock.run(Promise.all([store.remove("object"), store.put("object", inTwoParts())]));
    expect((await memory.get(store, "object")).equals(content)).toBe(true);
});

test("what is put so slowly that its first stripes are old before they are named is not swept", async () => {
    const { memory, store } = await opened({ sweepDelayMs: DELAY_MS });
    const content = memory.random.bytes(4 * STRIPE_BYTES);
    async function* slowly() {
        yield* piecesOf(content.subarray(0, 3 * STRIPE_BYTES));
        for (let sweeps = 0; sweeps < 3; sweeps++) {
            await pause(memory.clock, 2 * DELAY_MS);
            await store.caretaker.sweep();
        }
        yield* piecesOf(content.subarray(3 * STRIPE_BYTES));
    }
    await memory.clock.run(store.put("object", slowly()));
    expect((await memory.get(store, "object")).equals(content)).toBe(true);
    expect(store.unnamed.size).toBe(0);
});

test("what was put so slowly and then broke off is swept", async () => {
    const { memory, store } = await opened({ sweepDelayMs: DELAY_MS });
    async function* broken() {
        yield* piecesOf(memory.random.bytes(3 * STRIPE_BYTES));
        throw new StoreError("stopped", "it broke off");
    }
    await expect(memory.clock.run(store.put("object", broken()))).rejects.toMatchObject({ failure: "stopped" });
    await memory.clock.run(store.caretaker.sweep());
    await memory.clock.pass(2 * DELAY_MS);
    expect((await memory.clock.run(store.caretaker.sweep())).deleted).toBeGreaterThan(0);
    expect([0, 1, 2].map((index) => memory.backend(index).usedBytes)).toEqual([0, 0, 0]);
});

test("a put behind one of which nobody knows what became is another generation than that", async () => {
    const { memory, store } = await opened();
    const first = memory.random.bytes(3 * STRIPE_BYTES);
    for (const index of [1, 2, 3]) memory.replica(index).replyLoss = 1;
    await expect(memory.put(store, "object", first)).rejects.toMatchObject({ failure: "no-quorum" });
    for (const index of [1, 2, 3]) memory.replica(index).replyLoss = 0;
    // Other places of chunks in stripes than before.
    const second = Buffer.concat([Buffer.alloc(8 * CHUNK_BYTES), memory.random.bytes(3 * STRIPE_BYTES)]);
    await memory.put(store, "object", second);
    expect((await memory.get(store, "object")).equals(second)).toBe(true);
    for (let at = 0; at < second.length; at += CHUNK_BYTES)
        expect((await memory.get(store, "object", at, 100)).equals(second.subarray(at, at + 100))).toBe(true);
});

test("a layout that is asked for by who began before another front end wrote gets no number, and takes none from others", () => {
    const view = new View(":memory:", "store");
    const layouts = new Layouts(view);
    layouts.of(1, 1, [2, 3]);
    const current = layouts.of(2, 1, [3, 4]);
    expect(() => layouts.of(1, 1, [4, 2])).toThrow("another front end has written in between");
    const next = layouts.of(2, 1, [2, 4]);
    expect(next.id).not.toBe(current.id);
    expect(next.backends).toEqual([2, 4]);
    expect(layouts.of(2, 1, [3, 4]).id).toBe(current.id);
    view.close();
});
