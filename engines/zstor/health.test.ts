import { describe, expect, test } from "vitest";
import { MemoryStore, read } from "../../test/zstor/memory-store.ts";
import { BREAKER_LONGEST_PAUSE_MS, OPERATION_MS, SLOW_FOR_MS, STRIPES_AHEAD_TOGETHER } from "./limits.ts";
import { statusOf } from "./status.ts";
import { wordsOf } from "./status-words.ts";
import type { Store } from "./store.ts";

/** What a request takes at most in memory, both ways. */
const ROUND_TRIP_MS = 10;
const BACKENDS = [0, 1, 2, 3, 4, 5, 6];

/** A store with an object in it of which every backend's speed is known. */
async function measured(size = 400_000) {
    const memory = new MemoryStore();
    await memory.create();
    const store = await memory.open();
    const content = memory.random.bytes(size);
    await memory.put(store, "object", content);
    for (let count = 0; count < 12; count++) for (const offset of parts(size)) await memory.get(store, "object", offset, 1000);
    const holders = BACKENDS.filter((index) => memory.backend(index).values.size > 0);
    return { memory, store, content, holders };
}

const parts = (size: number) => [0, 140_000, 270_000, 399_000].filter((offset) => offset < size);

/** Shards so far. */
const fetched = (store: Store) => store.pool.all().reduce((sum, { figures }) => sum + figures.of("get").done, 0);

async function timeOf(memory: MemoryStore, store: Store, content: Buffer, offset: number, length = 1000): Promise<number> {
    const beganMs = memory.clock.steadyMs();
    const found = await memory.clock.run(read(store, "object", offset, length));
    expect(found.equals(content.subarray(offset, offset + length))).toBe(true);
    return memory.clock.steadyMs() - beganMs;
}

describe("a read", () => {
    test("of a part fetches what holds it and nothing else while all is well", async () => {
        const { memory, store, content } = await measured();
        const before = fetched(store);
        await timeOf(memory, store, content, 140_000);
        expect(fetched(store)).toBe(before + 1);
        expect(store.pool.hedgedReads).toBe(0);
    });

    test("of many at once holds less ahead each", async () => {
        const { memory, store } = await measured(8_400_000);
        const stripes = store.view.totals().stripes;
        expect(stripes).toBeGreaterThan(3);
        const stripesFetched = () => store.stageFigures.of("get fetch").done;
        const before = stripesFetched();
        const readers = 30;
        for (let count = 0; count < readers; count++) {
            const { bytes } = await store.get("object");
            await memory.clock.run(bytes[Symbol.asyncIterator]().next());
        }
        await memory.clock.pass(1000);
        // And the one that it has in hand.
        expect(stripesFetched() - before).toBeLessThanOrEqual(STRIPES_AHEAD_TOGETHER + 2 * readers);
    });

    test("waits for a backend that gives no answer as long as the hedge delay, then not at all, and tries again", async () => {
        const { memory, store, content } = await measured();
        const hedgeMs = store.pool.hedgeMs("large");
        expect(hedgeMs).toBeLessThanOrEqual(ROUND_TRIP_MS);
        for (const dead of BACKENDS) {
            memory.backend(dead).loss = 1;
            for (let count = 0; count < 12; count++)
                for (const offset of parts(content.length))
                    expect(await timeOf(memory, store, content, offset)).toBeLessThanOrEqual(hedgeMs + ROUND_TRIP_MS);
            for (const offset of parts(content.length))
                expect(await timeOf(memory, store, content, offset)).toBeLessThanOrEqual(ROUND_TRIP_MS);
            memory.backend(dead).loss = 0;
            await memory.clock.pass(3 * OPERATION_MS);
        }
        expect(store.pool.hedgedReads).toBeGreaterThan(3);
        const before = store.pool.hedgedReads;
        for (const offset of parts(content.length)) await timeOf(memory, store, content, offset);
        // One of them may be among the slowest by chance.
        expect(store.pool.hedgedReads).toBeLessThanOrEqual(before + 1);
    });

    test("of a whole object is as fast with two slow backends, which are told, and asked again after a while", async () => {
        const { memory, store, content, holders } = await measured();
        const slow =
            store.view
                .layout(1)
                ?.backends.slice(0, 2)
                .map((id) => id - 2) ?? [];
        expect(holders).toEqual(expect.arrayContaining(slow));
        for (const index of slow) Object.assign(memory.backend(index), { loss: 1 });
        const hedgeMs = store.pool.hedgeMs("large");
        for (let count = 0; count < 8; count++)
            expect(await timeOf(memory, store, content, 0, content.length)).toBeLessThanOrEqual(2 * (hedgeMs + ROUND_TRIP_MS));
        const told = statusOf(store).backends.filter(({ slow: isSlow }) => isSlow);
        expect(told.map(({ id }) => id - 2).sort()).toEqual([...slow].sort());
        expect(wordsOf(statusOf(store))).toContain("slow: asked after the others");
        for (const index of slow) Object.assign(memory.backend(index), { loss: 0 });
        await memory.clock.pass(SLOW_FOR_MS + 1);
        await timeOf(memory, store, content, 0, content.length);
        expect(statusOf(store).backends.filter(({ slow: isSlow }) => isSlow)).toEqual([]);
    });
});

describe("a backend", () => {
    test("that does not answer is left alone, in words, and used again soon after it is back", async () => {
        const { memory, store } = await measured();
        memory.backend(3).isDown = true;
        await memory.clock.pass(6 * 60_000);
        const down = statusOf(store).backends[3];
        expect(down).toMatchObject({ breaker: "open", state: "it does not answer: connection refused" });
        expect(wordsOf(statusOf(store))).toMatch(/connection refused, probed again in \d+ s/);
        const probes = () => store.pool.member(5)?.figures.of("info").failed ?? 0;
        const before = probes();
        await memory.clock.pass(10 * BREAKER_LONGEST_PAUSE_MS);
        expect(probes() - before).toBeLessThanOrEqual(21);
        const requests = () => store.pool.member(5)?.figures.of("delete").failed ?? 0;
        const refused = requests();
        await expect(store.pool.member(5)?.backend.delete(Buffer.from("x"))).rejects.toThrow("left alone for a while: connection refused");
        expect(requests()).toBe(refused);
        memory.backend(3).isDown = false;
        await memory.clock.pass(BREAKER_LONGEST_PAUSE_MS + ROUND_TRIP_MS);
        expect(statusOf(store).backends[3]).toMatchObject({ breaker: "closed", state: "ok" });
    });

    test("that is back is asked at once by whoever has nobody else", async () => {
        const { memory, store, content, holders } = await measured();
        for (const index of holders) memory.backend(index).isDown = true;
        await expect(memory.get(store, "object")).rejects.toThrow(/connection refused/);
        await memory.clock.pass(6 * 60_000);
        for (const index of holders) memory.backend(index).isDown = false;
        expect(await timeOf(memory, store, content, 0, content.length)).toBeLessThanOrEqual(4 * ROUND_TRIP_MS);
    });

    test("that never answers keeps nobody from being probed", async () => {
        const { memory, store } = await measured();
        memory.backend(2).loss = 1;
        await memory.clock.pass(60_000);
        expect(statusOf(store).backends[2]?.breaker).not.toBe("closed");
        const probes = store.pool.member(3)?.figures.of("info").done ?? 0;
        await memory.clock.pass(60_000);
        expect((store.pool.member(3)?.figures.of("info").done ?? 0) - probes).toBeGreaterThanOrEqual(11);
    });
});
