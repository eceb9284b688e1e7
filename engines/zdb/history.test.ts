import { describe, expect, onTestFinished, test, vi } from "vitest";
import { ManualTimers } from "../../test/zdb/manual-timers.ts";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { bytes, drop, openStore, put } from "../../test/zdb/store.ts";
import { CompactionOver } from "./compaction.ts";
import type { Namespace } from "./namespace.ts";
import { versionOf } from "./namespace-reading.ts";
import { formatRetention, parseRetention } from "./retention.ts";

const KEYS = 6;
const ROUNDS = 12;

/** All versions of a key that can be read, the newest first. */
function versions(namespace: Namespace, key: string): string[] {
    const found: string[] = [];
    let lsn: number | undefined;
    do {
        const version = versionOf(namespace, bytes(key), lsn);
        found.push(version.payload?.toString() ?? "unreadable");
        lsn = version.previousLsn;
    } while (lsn !== undefined);
    return found;
}

async function rewriteAll(namespace: Namespace, atOnce = 1): Promise<void> {
    namespace.nextSegment();
    for (let at = 0; at < namespace.segments.closed.length; at++) {
        await namespace.upkeep.rewrite(namespace.segments.closed.slice(at, at + atOnce));
    }
}

const value = (key: number, round: number): string => `${key}/${round}`.padEnd(60 + 7 * key, ".");

/** Each key is written in each round; keys with odd numbers twice. */
function write(namespace: Namespace): void {
    for (let round = 0; round < ROUNDS; round++) {
        for (let key = 0; key < KEYS; key++) {
            if (key % 2 === 1) put(namespace, `key-${key}`, value(key, round + 0.5), round);
            put(namespace, `key-${key}`, value(key, round), round);
        }
    }
}

function expected(key: number, count: number): string[] {
    const all: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
        if (key % 2 === 1) all.push(value(key, round + 0.5));
        all.push(value(key, round));
    }
    return all.reverse().slice(0, count);
}

/** On which a rewriting waits for its first value until it is let go on. */
class HeldDisk extends MemoryDisk {
    release = (): void => undefined;
    private readonly released = new Promise<void>((resolve) => {
        this.release = resolve;
    });

    override async readLater(fd: number, target: Buffer, offset: number, length: number, position: number): Promise<number> {
        await this.released;
        return super.readLater(fd, target, offset, length, position);
    }
}

describe("versions kept as history", () => {
    test("are read from what NSSET takes", () => {
        for (const text of ["count 1", "count 1000", "age 1s", "age 86400s"]) {
            const retention = parseRetention(text);
            expect(retention && formatRetention(retention)).toBe(text);
        }
        expect(parseRetention("age 2d")).toEqual({ kind: "age", seconds: 172_800 });
        expect(parseRetention("none")).toBeUndefined();
        for (const text of ["", "count 0", "count 1001", "count 1 ", "age 5", "age 0s", "age 99999d", "COUNT 1"])
            expect(parseRetention(text)).toBe(false);
    });

    test.each([
        { segmentBytes: 400, atOnce: 1 },
        { segmentBytes: 1500, atOnce: 2 },
        { segmentBytes: 100_000, atOnce: 1 },
    ])("by count: exactly so many before the newest outlive a rewriting, over segments of $segmentBytes bytes", async (sizes) => {
        const disk = new MemoryDisk("/data");
        const { standard, namespaces } = await openStore("/data", { disk, segmentBytes: sizes.segmentBytes });
        await standard.setProperty({ name: "history", text: "count 3" });
        write(standard);
        for (let key = 0; key < KEYS; key++) expect(versions(standard, `key-${key}`)).toEqual(expected(key, 1000));
        await rewriteAll(standard, sizes.atOnce);
        for (let key = 0; key < KEYS; key++) expect(versions(standard, `key-${key}`)).toEqual(expected(key, 4));
        const { historyBytes, neededBytes } = standard.segments;
        expect(historyBytes).toBeGreaterThan(0);
        await namespaces.close();

        const again = await openStore("/data", { disk, segmentBytes: sizes.segmentBytes });
        expect(again.standard.disturbance).toBeUndefined();
        for (let key = 0; key < KEYS; key++) expect(versions(again.standard, `key-${key}`)).toEqual(expected(key, 4));
        expect([again.standard.segments.historyBytes, again.standard.segments.neededBytes]).toEqual([historyBytes, neededBytes]);
        // Judged anew, the same are kept.
        await rewriteAll(again.standard, 2);
        for (let key = 0; key < KEYS; key++) expect(versions(again.standard, `key-${key}`)).toEqual(expected(key, 4));
    });

    test("go with their key, and do not come back with it", async () => {
        const { standard } = await openStore("/data", { disk: new MemoryDisk("/data"), segmentBytes: 400 });
        await standard.setProperty({ name: "history", text: "count 5" });
        write(standard);
        drop(standard, "key-0");
        drop(standard, "key-1");
        put(standard, "key-1", "anew");
        await rewriteAll(standard);
        await rewriteAll(standard);
        expect(standard.find(bytes("key-0"))).toBeUndefined();
        expect(versions(standard, "key-1")).toEqual(["anew"]);
        expect(versions(standard, "key-2")).toEqual(expected(2, 6));
        for (const { header } of standard.segments.all) expect(header.historyBytes).toBeLessThan(2000);
    });

    test("by age: those that were the newest within the time", async () => {
        vi.useFakeTimers({ toFake: ["Date"] });
        onTestFinished(() => void vi.useRealTimers());
        const { standard } = await openStore("/data", { disk: new MemoryDisk("/data"), segmentBytes: 400 });
        await standard.setProperty({ name: "history", text: "age 5s" });
        write(standard);
        // The last round was at 11: what was superseded at 8 or later is within 5 seconds of 12.
        vi.setSystemTime(12_000);
        await rewriteAll(standard);
        expect(versions(standard, "key-2")).toEqual(expected(2, 5));
        vi.setSystemTime(100_000);
        await rewriteAll(standard);
        expect(versions(standard, "key-2")).toEqual(expected(2, 1));
        expect(standard.segments.historyBytes).toBe(0);
    });

    test("are kept from the moment on that it was asked for, also of a segment that is being rewritten then", async () => {
        const disk = new HeldDisk("/data");
        const { standard } = await openStore("/data", { disk, segmentBytes: 100_000 });
        for (let key = 0; key < 200; key++) put(standard, `key-${key}`, "before");
        standard.nextSegment();
        const { closed } = standard.segments;
        const rewriting = standard.upkeep.rewrite(closed);
        await standard.setProperty({ name: "history", text: "count 3" });
        put(standard, "key-199", "after");
        disk.release();
        await expect(rewriting).rejects.toThrow(CompactionOver);
        await standard.upkeep.rewrite(closed);
        expect(versions(standard, "key-199")).toEqual(["after", "before"]);
        expect(disk.list(standard.directory).sort()).toEqual(["d0", "d1"]);
    });

    test("are given up when the property is, and until then do not count as garbage for ever", async () => {
        const timers = new ManualTimers();
        const { standard } = await openStore("/data", { disk: new MemoryDisk("/data"), segmentBytes: 400, timers });
        await standard.setProperty({ name: "history", text: "count 3" });
        write(standard);
        await rewriteAll(standard);
        standard.upkeep.eraseWhatIsOlder(Number.POSITIVE_INFINITY);
        const { historyBytes } = standard.segments;
        expect(historyBytes).toBeGreaterThan(0);
        // As much again is written as there is history: now the versions of before are garbage until they are judged.
        write(standard);
        standard.upkeep.eraseWhatIsOlder(Number.POSITIVE_INFINITY);
        expect(standard.segments.historyBytes).toBe(0);
        await rewriteAll(standard);
        expect(versions(standard, "key-3")).toEqual(expected(3, 4));
        await standard.setProperty({ name: "history", text: "none" });
        await rewriteAll(standard);
        expect(versions(standard, "key-3")).toEqual(expected(3, 1));
    });
});
