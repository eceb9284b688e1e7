import { describe, expect, test } from "vitest";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { WorkWithSteps } from "../../test/zdb/steps.ts";
import { bytes, drop, openStore, put, readValue, type Store } from "../../test/zdb/store.ts";
import type { Namespace } from "./namespace.ts";
import type { Mode } from "./properties.ts";
import { segmentNumber } from "./segment-header.ts";
import { buildSidecar } from "./sidecar-building.ts";
import { Slices } from "./slices.ts";

const FILE = "/data/.index/default/checkpoint";
const unused = (why: string): string => `namespace default: the checkpoint of its index is not used: ${why}`;

/** Deterministic, and different for each seed. */
function numbers(seed: number): () => number {
    let state = seed;
    return () => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return state >>> 8;
    };
}

function contents({ standard }: Store, keys: Iterable<string>): Map<string, string> {
    const found = new Map<string, string>();
    for (const key of keys) {
        const value = readValue(standard, key);
        if (value !== undefined) found.set(key, value);
    }
    return found;
}

async function listAll(disk: MemoryDisk, { segments, sidecars }: Namespace): Promise<void> {
    for (const segment of segments.closed) await buildSidecar(disk, segments, sidecars, segment, new Slices());
}

describe("a checkpoint", () => {
    test.each(["user", "seq"] as const)(
        "taken while keys change is made whole by the log from its beginning on (%s)",
        async (mode: Mode) => {
            const disk = new MemoryDisk("/data");
            const options = { disk, mode, segmentBytes: 200_000, checkpointBytes: 1_000_000_000 };
            const { standard } = await openStore("/data", options);
            const expected = new Map<string, string>();
            const next = numbers(7);
            const change = (): void => {
                const old = [...expected.keys()][next() % (expected.size + 1)];
                if (old !== undefined && next() % 3 === 0) {
                    standard.delete(bytes(old), 1);
                    expected.delete(old);
                    return;
                }
                const asked = mode === "user" ? (old ?? `key ${next()}`) : (old ?? "");
                const value = `value ${next()}`;
                expected.set(standard.set(bytes(asked), bytes(value), 1).key.toString("latin1"), value);
            };
            for (let number = 0; number < 12_000; number++) {
                const value = `first ${number}`;
                expected.set(standard.set(bytes(mode === "user" ? `key ${number}` : ""), bytes(value), 1).key.toString("latin1"), value);
            }
            standard.log.write();
            await listAll(disk, standard);
            let steps = 0;
            await standard.checkpoint.write(
                new WorkWithSteps(() => {
                    steps++;
                    for (let count = 0; count < 40; count++) change();
                }),
            );
            expect(steps).toBeGreaterThan(2);
            for (let count = 0; count < 50; count++) change();
            standard.log.write();

            const killed = disk.copy();
            const again = await openStore("/data", { ...options, disk: killed });
            expect(again.lines).toEqual([]);
            expect(contents(again, expected.keys())).toEqual(expected);
            expect(again.standard.entries).toBe(expected.size);
            expect(again.standard.nextId()).toBe(standard.nextId());
            expect([again.standard.liveBytes, again.standard.keys.keyBytes]).toEqual([standard.liveBytes, standard.keys.keyBytes]);
            expect(again.standard.segments.all.map(({ liveBytes }) => liveBytes)).toEqual(
                standard.segments.all.map(({ liveBytes }) => liveBytes),
            );
        },
    );

    test("is written while the server runs when enough of the log is unread", async () => {
        const disk = new MemoryDisk("/data");
        const { standard } = await openStore("/data", { disk, checkpointBytes: 10_000 });
        put(standard, "small", "v");
        expect(standard.checkpoint.isDue).toBe(false);
        put(standard, "large", "v".repeat(10_000));
        expect(standard.checkpoint.isDue).toBe(true);
        expect(await standard.upkeep.tidy()).toBe(true);
        expect(standard.checkpoint.isDue).toBe(false);
        expect(disk.exists(FILE)).toBe(true);
    });
});

/** A store with a few keys and a checkpoint, killed after one more change. */
async function small(): Promise<{ readonly disk: MemoryDisk; readonly expected: Map<string, string> }> {
    const disk = new MemoryDisk("/data");
    const { standard } = await openStore("/data", { disk, segmentBytes: 300 });
    for (let number = 0; number < 12; number++) put(standard, `key ${number % 8}`, `value ${number}`);
    drop(standard, "key 2");
    await listAll(disk, standard);
    await standard.checkpoint.write(new Slices());
    drop(standard, "key 3");
    put(standard, "key 4", "newest");
    const keys = Array.from({ length: 8 }, (_, number) => `key ${number}`);
    return { disk: disk.copy(), expected: contents({ standard } as Store, keys) };
}

async function reopened(disk: MemoryDisk, expected: Map<string, string>): Promise<readonly string[]> {
    const store = await openStore("/data", { disk, segmentBytes: 300 });
    expect(
        contents(
            store,
            Array.from({ length: 8 }, (_, number) => `key ${number}`),
        ),
    ).toEqual(expected);
    expect(store.standard.entries).toBe(expected.size);
    expect(store.standard.disturbance).toBeUndefined();
    await store.namespaces.close();
    expect(disk.openFiles).toBe(0);
    return store.lines;
}

describe("a checkpoint that cannot be used is said and left, and the log is read:", () => {
    test("cut at any byte", async () => {
        const { disk, expected } = await small();
        const whole = disk.contents(FILE);
        expect(await reopened(disk.copy(), expected)).toEqual([]);
        for (let length = 0; length < whole.length; length++) {
            const cut = disk.copy();
            cut.replace(FILE, whole.subarray(0, length));
            expect(await reopened(cut, expected), `cut at ${length}`).toEqual([expect.stringContaining(unused("it is"))]);
        }
    });

    test("any bit flipped", { timeout: 120_000 }, async () => {
        const { disk, expected } = await small();
        const whole = disk.contents(FILE);
        for (let bit = 0; bit < whole.length * 8; bit++) {
            const flipped = Buffer.from(whole);
            flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
            const copy = disk.copy();
            copy.replace(FILE, flipped);
            expect((await reopened(copy, expected)).join(), `bit ${bit}`).toContain(unused(""));
        }
    });

    test("older than a rewriting of segments", async () => {
        const { disk, expected } = await small();
        const { standard } = await openStore("/data", { disk, segmentBytes: 300 });
        await standard.upkeep.rewrite(standard.segments.closed.slice(0, 2));
        expect(await reopened(disk.copy(), expected)).toEqual([unused("segment d0 was rewritten since")]);
    });

    test("of another epoch, or another log", async () => {
        const [one, other] = [await small(), await small()];
        other.disk.replace(FILE, one.disk.contents(FILE));
        expect((await reopened(other.disk, other.expected)).join()).toMatch(/another epoch|was rewritten since/);
    });

    test("of a log whose end the disk lost", async () => {
        const { disk } = await small();
        const last = `/data/default/${disk
            .list("/data/default")
            .filter((name) => segmentNumber(name) !== undefined)
            .sort((a, b) => Number(a.slice(1)) - Number(b.slice(1)))
            .at(-1)}`;
        disk.remove(last);
        const store = await openStore("/data", { disk, segmentBytes: 300 });
        expect(store.lines.join()).toMatch(/not used: (segment d\d+ is (missing|shorter than it was)|the log ends before it)/);
        await store.namespaces.close();
    });

    test("and when there is no room for one, the server stops all the same", async () => {
        const disk = new MemoryDisk("/data");
        const options = { disk, checkpointBytes: 0 };
        const store = await openStore("/data", options);
        put(store.standard, "key", "value");
        disk.capacity = disk.usedBytes + 100;
        await store.namespaces.close();
        expect(store.lines).toEqual(["namespace default: its checkpoint could not be written (ENOSPC), the next start reads its log"]);
        expect(disk.list("/data/.index/default")).toEqual([]);
        expect(readValue((await openStore("/data", options)).standard, "key")).toBe("value");
    });
});

test("a property that was being written when the checkpoint was made is not lost", async () => {
    const disk = new MemoryDisk("/data");
    const { standard } = await openStore("/data", { disk });
    disk.holdSyncs = true;
    const changing = standard.setProperty({ name: "worm", text: "1" });
    disk.holdSyncs = false;
    standard.nextSegment();
    const [closed] = standard.segments.closed;
    if (closed) await buildSidecar(disk, standard.segments, standard.sidecars, closed, new Slices());
    await standard.checkpoint.write(new Slices());
    disk.releaseSyncs();
    await changing;
    const again = await openStore("/data", { disk: disk.copy() });
    expect(again.lines).toEqual([]);
    expect(again.standard.properties.worm).toBe(true);
});
