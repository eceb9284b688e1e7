import { expect, test } from "vitest";
import { backendsOf, MemoryStore } from "../../test/zstor/memory-store.ts";
import { LATE_LEAST_MS, SLOW_FOR_MS, STRIPES_IN_FLIGHT, WRITES_OWED } from "./limits.ts";
import { statusOf } from "./status.ts";
import { wordsOf } from "./status-words.ts";

/** Less than any limit for an answer, and more than anybody should wait. */
const SLOW_MS = 8_000;
/** What a request takes at most in memory, both ways. */
const ROUND_TRIP_MS = 10;
/** Many more stripes than a backend may owe. */
const LARGE_BYTES = 40_000_000;

/** A store whose backends of these numbers take long to store what they are given, until told otherwise. */
async function withSlow(count: number, slow: readonly number[]) {
    const memory = new MemoryStore();
    const { clock } = memory;
    await memory.create({ backends: backendsOf(count) });
    let isSlow = true;
    const started = new Map<string, number>();
    const store = await memory.open({
        connect: (url) => {
            const backend = memory.network.connect(url);
            if (!slow.some((index) => url === `memory://d${index}`)) return backend;
            return {
                ...backend,
                async set(key, value) {
                    started.set(url, (started.get(url) ?? 0) + 1);
                    if (isSlow) await new Promise<void>((resolve) => clock.after(SLOW_MS, resolve));
                    await backend.set(key, value);
                },
            };
        },
    });
    const put = async (name: string, bytes: number) => {
        const beganMs = clock.steadyMs();
        const content = memory.random.bytes(bytes);
        await memory.put(store, name, content);
        expect((await memory.get(store, name)).equals(content)).toBe(true);
        return clock.steadyMs() - beganMs;
    };
    const heal = () => {
        isSlow = false;
    };
    const asked = (index: number) => started.get(`memory://d${index}`) ?? 0;
    return { memory, store, put, heal, asked };
}

/** Of a put or get without anything slow. */
const USUAL_MS = 20 * ROUND_TRIP_MS;

test("a shard that is late goes to a backend that is left, nothing is owed, and nobody is declared ill", async () => {
    const { store, put, asked } = await withSlow(7, [0]);
    expect(await put("first", 600_000)).toBeLessThanOrEqual(LATE_LEAST_MS + USUAL_MS);
    expect(store.pool.hedgedWrites).toBe(1);
    const before = asked(0);
    expect(await put("second", 600_000)).toBeLessThanOrEqual(USUAL_MS);
    expect(asked(0)).toBe(before);
    const status = statusOf(store);
    expect(status).toMatchObject({ owed: 0, spare: { 2: 2 } });
    expect(status.backends[0]).toMatchObject({ state: "ok", breaker: "closed", tardy: true });
    expect(wordsOf(status)).toContain("slow to write: not waited for");
});

test("with no backend left a shard that is late is owed, and repaired when its backend is as fast as others again", async () => {
    const { memory, store, put, heal, asked } = await withSlow(6, [0]);
    expect(await put("first", 600_000)).toBeLessThanOrEqual(LATE_LEAST_MS + USUAL_MS);
    expect(statusOf(store)).toMatchObject({ owed: 1, spare: { 1: 1 } });
    expect(await put("large", LARGE_BYTES)).toBeLessThan(SLOW_MS);
    const { stripes } = store.view.totals();
    expect(stripes).toBeGreaterThan(WRITES_OWED + STRIPES_IN_FLIGHT);
    // What it owes is held in memory, so it owes little.
    expect(asked(0)).toBeLessThanOrEqual(WRITES_OWED + STRIPES_IN_FLIGHT);
    expect(statusOf(store).backends[0]).toMatchObject({ state: "ok", breaker: "closed", tardy: true });
    heal();
    await memory.clock.pass(SLOW_FOR_MS + SLOW_MS);
    await memory.clock.run(store.caretaker.round());
    expect(statusOf(store)).toMatchObject({ owed: 0, spare: { 2: stripes } });
    expect(statusOf(store).backends[0]?.tardy).toBeUndefined();
});

test("fewer shards than the least are never acknowledged, however long it takes", async () => {
    const { store, put } = await withSlow(6, [0, 1]);
    expect(await put("object", 600_000)).toBeGreaterThanOrEqual(SLOW_MS);
    const [spare] = Object.keys(statusOf(store).spare);
    expect(Number(spare)).toBeGreaterThanOrEqual(1);
});
