import { readdirSync, rmSync, statSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { MemoryFiles } from "../../test/zstor/memory-files.ts";
import { MemoryStore } from "../../test/zstor/memory-store.ts";
import { systemCacheFiles } from "./cache-files.ts";
import { CACHE_PAUSE_MS } from "./limits.ts";
import { ReadCache } from "./read-cache.ts";
import { statusOf } from "./status.ts";
import type { Store } from "./store.ts";

const MIB = 2 ** 20;
const BACKENDS = [0, 1, 2, 3, 4, 5, 6];

async function opened(files: MemoryFiles, sizeBytes = 8 * MIB) {
    const memory = new MemoryStore();
    await memory.create();
    const open = (size = sizeBytes) => memory.open({ cache: { files, sizeBytes: size } });
    return { memory, open, store: await open() };
}

async function fetched(store: Store): Promise<number> {
    await store.cache?.settled();
    return store.pool.all().reduce((sum, { figures }) => sum + figures.of("get").done, 0);
}

describe("a read cache", () => {
    test("answers what was read before without its backends, also after a restart, and shows nothing in the clear", async () => {
        const files = new MemoryFiles();
        const { memory, open, store } = await opened(files);
        const content = Buffer.alloc(700_000, "these words are on no disk ");
        await memory.put(store, "name of it", content);
        expect((await memory.get(store, "name of it")).equals(content)).toBe(true);
        const before = await fetched(store);
        expect((await memory.get(store, "name of it", 100_000, 300_000)).equals(content.subarray(100_000, 400_000))).toBe(true);
        expect(await fetched(store)).toBe(before);
        const { usedBytes, hits, misses } = statusOf(store).cache ?? {};
        expect([usedBytes === files.usedBytes, hits, misses]).toEqual([true, 4, 6]);
        for (const bytes of files.files.values())
            for (const word of ["these words", "name of it", Buffer.from(store.keys.objectId("name of it"), "hex")])
                expect(bytes.includes(word)).toBe(false);
        await memory.clock.run(store.close());
        const again = await open();
        await again.cache?.settled();
        for (const index of BACKENDS) memory.backend(index).isDown = true;
        expect((await memory.get(again, "name of it")).equals(content)).toBe(true);
    });

    test("fetches a part with its neighbours in the same shard once", async () => {
        const { memory, store } = await opened(new MemoryFiles());
        const content = memory.random.bytes(2_000_000);
        await memory.put(store, "object", content);
        await memory.get(store, "object", 0, 1000);
        const before = await fetched(store);
        await memory.get(store, "object", 131_072, 131_072);
        expect(await fetched(store)).toBe(before);
    });

    test.each<[string, (bytes: Buffer) => Buffer]>([
        ["torn", (bytes) => bytes.subarray(0, bytes.length / 2)],
        ["gone", () => Buffer.alloc(0)],
        ["zeros", (bytes) => Buffer.alloc(bytes.length)],
        ["wrong in each chunk", (bytes) => Buffer.from(bytes.map((byte, at) => (at % 100_000 === 90_000 ? byte ^ 1 : byte)))],
        ["wrong in each head", (bytes) => Buffer.from(bytes.map((byte, at) => (at % 131_116 < 28 ? byte ^ 4 : byte)))],
        ["exchanged with others", (bytes) => exchanged(bytes)],
    ])("is missed where it is %s, and nobody notices", async (_, spoil) => {
        const files = new MemoryFiles();
        const { memory, open, store } = await opened(files);
        const content = memory.random.bytes(700_000);
        await memory.put(store, "object", content);
        await memory.get(store, "object");
        await fetched(store);
        for (const [name, bytes] of files.files) files.files.set(name, Buffer.from(spoil(bytes)));
        for (const each of [store, await open()]) {
            await each.cache?.settled();
            expect((await memory.get(each, "object")).equals(content)).toBe(true);
            expect(statusOf(each).warnings).toEqual([]);
        }
    });

    test("knows an object of the same name and generation from one that was there before", async () => {
        const { memory, store } = await opened(new MemoryFiles());
        await memory.put(store, "object", Buffer.from("first"));
        expect((await memory.get(store, "object")).toString()).toBe("first");
        await memory.clock.run(store.remove("object"));
        await memory.clock.run(store.caretaker.round());
        await fetched(store);
        const { generation } = await memory.put(store, "object", Buffer.from("other"));
        expect(generation).toBe(1);
        for (let count = 0; count < 2; count++) expect((await memory.get(store, "object")).toString()).toBe("other");
        expect(store.cache?.wrong).toBe(1);
    });

    test("stays within its size, keeps what is read again and again, and shrinks", async () => {
        const files = new MemoryFiles();
        const { memory, open, store } = await opened(files, 4 * MIB);
        const hot = memory.random.bytes(100_000);
        await memory.put(store, "hot", hot);
        for (let index = 0; index < 40; index++) {
            await memory.put(store, `cold ${index}`, memory.random.bytes(300_000));
            await memory.get(store, `cold ${index}`);
            expect((await memory.get(store, "hot")).equals(hot)).toBe(true);
            await store.cache?.settled();
            expect(files.usedBytes).toBeLessThanOrEqual(4 * MIB);
            expect(store.cache?.usedBytes).toBe(files.usedBytes);
        }
        // Once at first, and once for each time that it was dropped before it was read again: never.
        expect(store.cache?.hits).toBe(39);
        expect(files.usedBytes).toBeGreaterThan(2 * MIB);
        await memory.clock.run(store.close());
        const smaller = await open(2 * MIB);
        await smaller.cache?.settled();
        expect(files.usedBytes).toBeLessThanOrEqual(2 * MIB);
        expect((await memory.get(smaller, "hot")).equals(hot)).toBe(true);
        await memory.clock.run(smaller.close());
        const without = await memory.open();
        expect((await memory.get(without, "hot")).equals(hot)).toBe(true);
        expect(statusOf(without).cache).toBeUndefined();
    });

    test("keeps nothing on a full or broken disk, says so, fails nothing, and goes on by itself", async () => {
        const files = new MemoryFiles();
        const { memory, store } = await opened(files);
        const content = memory.random.bytes(600_000);
        await memory.put(store, "object", content);
        for (const [harm, words] of [
            [{ roomBytes: 200_000 }, "no space left"],
            [{ isBroken: true }, "i/o error"],
        ] as const) {
            Object.assign(files, { roomBytes: Number.POSITIVE_INFINITY, isBroken: false }, harm);
            for (let count = 0; count < 2; count++) {
                expect((await memory.get(store, "object")).equals(content)).toBe(true);
                await store.cache?.settled();
            }
            expect(statusOf(store).warnings).toEqual([expect.stringContaining(`nothing is cached now: E`)]);
            expect(statusOf(store).warnings[0]).toContain(words);
            Object.assign(files, { roomBytes: Number.POSITIVE_INFINITY, isBroken: false });
            await memory.clock.pass(CACHE_PAUSE_MS + 1);
            for (let count = 0; count < 2; count++) await memory.get(store, "object").then(() => store.cache?.settled());
            expect(statusOf(store).warnings).toEqual([]);
        }
        const before = await fetched(store);
        expect((await memory.get(store, "object")).equals(content)).toBe(true);
        expect(await fetched(store)).toBe(before);
    });

    test("on a real disk: found again, and whatever happens to its directory", async () => {
        const directory = `${temporaryDirectory()}/cache`;
        const memory = new MemoryStore();
        const surroundings = memory.parts().surroundings;
        const keys = Array.from({ length: 50 }, () => memory.random.bytes(16));
        const values = keys.map((_, index) => memory.random.bytes(1000 * index + 1));
        const made = async () => {
            const cache = new ReadCache(systemCacheFiles(directory), 4 * MIB, surroundings);
            await cache.open();
            return cache;
        };
        const first = await made();
        for (const [index, key] of keys.entries()) first.put(key, values[index] ?? Buffer.alloc(0));
        await first.settled();
        await first.close();
        expect(statSync(directory).mode & 0o777).toBe(0o700);
        const second = await made();
        for (const [index, key] of keys.entries())
            expect((await second.get(key, values[index]?.length ?? 0))?.equals(values[index] ?? Buffer.alloc(0))).toBe(true);
        rmSync(directory, { recursive: true });
        const [key = Buffer.alloc(0)] = keys;
        second.put(memory.random.bytes(16), values[1] ?? Buffer.alloc(0));
        await second.settled();
        expect(second.hits).toBe(50);
        await second.close();
        const third = await made();
        expect(await third.get(key, 1)).toBeUndefined();
        third.put(key, Buffer.of(7));
        await third.settled();
        expect(await third.get(key, 1)).toEqual(Buffer.of(7));
        expect(readdirSync(directory)).toHaveLength(1);
        await third.close();
    });
});

/** Two chunks of one length in each other's place. */
function exchanged(bytes: Buffer): Buffer {
    const HEAD = 28;
    const length = bytes.readUInt32LE(20);
    const second = HEAD + length;
    if (bytes.readUInt32LE(second + 20) !== length) return bytes;
    const other = Buffer.from(bytes);
    bytes.copy(other, HEAD, second + HEAD, second + HEAD + length);
    bytes.copy(other, second + HEAD, HEAD, HEAD + length);
    return other;
}
