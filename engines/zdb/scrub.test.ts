import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { ManualTimers } from "../../test/zdb/manual-timers.ts";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { openStore, put, readValue } from "../../test/zdb/store.ts";
import { SCRUB_PERIOD_MS, SCRUB_START_MS } from "./limits.ts";
import type { Namespace } from "./namespace.ts";
import { RECORD_HEAD_BYTES } from "./record.ts";
import { Scrub } from "./scrub.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-header.ts";
import { buildSidecar } from "./sidecar-building.ts";
import { Slices } from "./slices.ts";
import { systemTimers, type Timers } from "./syncer.ts";

const FAST = Number.MAX_SAFE_INTEGER;

async function store(values: number, valueBytes: number, segmentBytes: number) {
    const disk = new MemoryDisk("/data");
    const { namespaces } = await openStore("/data", { disk, segmentBytes });
    const one = await namespaces.create("one");
    for (let place = 0; place < values; place++) put(one, `key-${place}`, `${place}`.padEnd(valueBytes, "x"));
    const { segments, sidecars } = one;
    for (const segment of segments.closed) await buildSidecar(disk, segments, sidecars, segment, new Slices());
    return { disk, namespaces, one };
}

function scrubOf(one: Namespace, lines: string[], timers: Timers = systemTimers, bytesPerSecond = FAST): Scrub {
    return new Scrub({ timers, bytesPerSecond, namespaces: () => [one], log: (line) => lines.push(line), nowMs: () => 5000 });
}

/** Another byte in a file that stays open. */
function damage(disk: MemoryDisk, file: string, at: number): void {
    const fd = disk.openForAppend(file);
    const byte = Buffer.alloc(1);
    disk.read(fd, byte, 0, 1, at);
    disk.write(fd, Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at);
    disk.close(fd);
}

test("what is sound is read through, and said", async () => {
    const { one, namespaces } = await store(40, 100, 1000);
    const lines: string[] = [];
    await scrubOf(one, lines).round();
    expect(lines).toEqual([]);
    expect(one.scrubbed).toEqual({ endedMs: 5000, damaged: 0 });
    expect(one.segments.closed.length).toBeGreaterThan(3);
    await namespaces.close();
});

test("damage is told once, counted in each round, named by its place alone; everything else is served", async () => {
    const { disk, one, namespaces } = await store(40, 100, 1000);
    const file = "/data/one/d1";
    const content = disk.contents(file);
    const value = content.indexOf("xxx");
    // The head of the third record: the sidecar knows where the next one begins.
    const head = content.indexOf("key-", content.indexOf("key-", content.indexOf("key-") + 1) + 1) - RECORD_HEAD_BYTES;
    damage(disk, file, value);
    damage(disk, file, head + 10);
    damage(disk, "/data/one/d2", disk.contents("/data/one/d2").indexOf("xxx"));
    const lines: string[] = [];
    const scrub = scrubOf(one, lines);
    for (let round = 0; round < 2; round++) {
        await scrub.round();
        expect(one.scrubbed).toEqual({ endedMs: 5000, damaged: 3 });
        expect(one.measures.readErrors).toBe(3 + round * 3);
        expect(lines).toHaveLength(3);
        expect(lines[0]).toMatch(/^namespace one: record \d+ at d1 offset \d+: its value does not match its checksum: stop the server/);
        expect(lines[1]).toMatch(/^namespace one: record \d+ at d1 offset \d+: its head is damaged/);
        expect(lines.join()).not.toContain("key-");
        const readable = Array.from({ length: 40 }, (_, place) => place).filter((place) => {
            try {
                return readValue(one, `key-${place}`) !== undefined;
            } catch {
                return false;
            }
        });
        expect(readable).toHaveLength(37);
    }
    expect(one.segments.closed.filter(({ damaged }) => damaged)).toHaveLength(2);
    put(one, "key-1", "still written");
    expect(one.disturbance).toBeUndefined();
    await namespaces.close();
});

test("a disk that does not give its bytes, and a namespace that goes away, do not end it", async () => {
    const { disk, one, namespaces } = await store(40, 100, 1000);
    disk.unreadable.add("/data/one/d1");
    one.segments.drop(one.segments.closed[3] ?? one.segments.closed[0] ?? never());
    const lines: string[] = [];
    const scrub = scrubOf(one, lines);
    await scrub.round();
    expect(one.scrubbed.endedMs).toBe(5000);
    const round = scrub.round();
    await namespaces.remove("one");
    await round;
});

test("is slow: a step, then nothing until so many bytes may have been read; stopped at once", async () => {
    const { disk, one, namespaces } = await store(40, 50_000, 600_000);
    const timers = new ManualTimers();
    const scrub = scrubOf(one, [], timers, 100_000);
    const before = disk.readBytes;
    scrub.start();
    await setImmediate();
    expect(disk.readBytes).toBe(before);
    timers.advance(SCRUB_START_MS);
    let passedMs = 0;
    for (; one.scrubbed.endedMs === undefined; passedMs += 100) {
        // What has been read stays within what may be read, and one step more.
        expect(disk.readBytes - before).toBeLessThanOrEqual(passedMs * 100 + 2 * 262_144);
        for (let turn = 0; turn < 5; turn++) await setImmediate();
        timers.advance(100);
    }
    const closedBytes = one.segments.closed.reduce((sum, { endOffset }) => sum + endOffset - SEGMENT_HEADER_BYTES, 0);
    expect(disk.readBytes - before).toBeGreaterThanOrEqual(closedBytes);
    await setImmediate();
    expect(timers.pending).toBe(1);
    timers.advance(SCRUB_PERIOD_MS);
    await setImmediate();
    await scrub.stop();
    expect(timers.pending).toBe(0);
    await namespaces.close();
});

function never(): never {
    throw new Error("there is none");
}
