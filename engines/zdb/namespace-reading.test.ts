import { expect, test } from "vitest";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { bytes, drop, openStore, put, type Store } from "../../test/zdb/store.ts";
import type { Namespace } from "./namespace.ts";
import { type Cursor, scanNamespace, versionOf } from "./namespace-reading.ts";

/** Keys in the order of a scan that gets a few entries a time. */
function scanned(namespace: Namespace, direction: 1 | -1, entries = 3): string[] {
    const keys: string[] = [];
    let from: Cursor | undefined;
    for (;;) {
        const part = scanNamespace(namespace, from, direction, { entries, ms: 1000 });
        keys.push(...part.entries.map(({ key }) => key.toString("latin1")));
        if (part.isEnd) return keys;
        from = part.cursor;
    }
}

async function overwritten(): Promise<Store & { readonly expected: readonly string[]; readonly disk: MemoryDisk }> {
    const disk = new MemoryDisk("/data");
    const store = await openStore("/data", { disk, segmentBytes: 1024 });
    const expected = new Map<string, string>();
    for (let round = 0; round < 200; round++) {
        const key = `key-${(round * 7) % 37}`;
        expected.delete(key);
        if (round % 5 === 4 && store.standard.find(bytes(key))) {
            drop(store.standard, key);
        } else {
            put(store.standard, key, `value ${round}`, round);
            expected.set(key, `value ${round}`);
        }
    }
    return { ...store, disk, expected: [...expected.keys()] };
}

test("a scan lists every live key once, in the order of its last write, both ways, over segments and restarts", async () => {
    const { standard, expected, disk, namespaces } = await overwritten();
    expect(standard.segments.all.length).toBeGreaterThan(8);
    expect(scanned(standard, 1)).toEqual(expected);
    expect(scanned(standard, -1)).toEqual([...expected].reverse());
    expect(scanned(standard, 1, 1)).toEqual(expected);
    await namespaces.close();
    const again = await openStore("/data", { disk, segmentBytes: 1024 });
    expect(scanned(again.standard, 1)).toEqual(expected);
    expect(scanned(again.standard, -1)).toEqual([...expected].reverse());
});

test("a scan tells length and time, sees what was written a moment ago, and refuses cursors of elsewhere", async () => {
    const { standard } = await openStore("/data", { disk: new MemoryDisk("/data") });
    expect(scanNamespace(standard, undefined, 1, { entries: 9, ms: 1000 })).toMatchObject({ entries: [], isEnd: true });
    put(standard, "a", "123", 77);
    standard.set(bytes("b"), bytes(""), 78);
    const { entries, cursor } = scanNamespace(standard, undefined, 1, { entries: 9, ms: 1000 });
    expect(entries).toMatchObject([
        { length: 3, timestamp: 77 },
        { length: 0, timestamp: 78 },
    ]);
    expect(scanNamespace(standard, cursor, 1, { entries: 9, ms: 1000 })).toMatchObject({ entries: [], isEnd: true });
    for (const wrong of [
        { epoch: cursor.epoch + 1, lsn: 1 },
        { epoch: cursor.epoch, lsn: 99 },
    ]) {
        expect(() => scanNamespace(standard, wrong, 1, { entries: 9, ms: 1000 })).toThrow("Invalid key format");
    }
});

test("a scan whose time is over says where to go on, with or without entries", async () => {
    const { standard, expected } = await overwritten();
    const keys: string[] = [];
    let from: Cursor | undefined;
    for (let part = 0; part < 1000; part++) {
        const { entries, cursor, isEnd } = scanNamespace(standard, from, 1, { entries: 1000, ms: 0 });
        keys.push(...entries.map(({ key }) => key.toString("latin1")));
        if (isEnd) break;
        from = cursor;
    }
    expect(keys).toEqual(expected);
});

test("history goes back version by version, over segments, to the deletion or the beginning", async () => {
    const { standard } = await openStore("/data", { disk: new MemoryDisk("/data"), segmentBytes: 400 });
    put(standard, "k", "before the deletion", 1);
    drop(standard, "k");
    for (let version = 0; version < 12; version++) {
        put(standard, "k", `version ${version}`, 100 + version);
        put(standard, "other", `${version}`);
    }
    const found: string[] = [];
    let lsn: number | undefined;
    do {
        const version = versionOf(standard, bytes("k"), lsn);
        found.push(`${version.payload?.toString()} ${version.timestamp}`);
        lsn = version.previousLsn;
    } while (lsn !== undefined);
    expect(found).toEqual(Array.from({ length: 12 }, (_, place) => `version ${11 - place} ${111 - place}`));
    expect(() => versionOf(standard, bytes("absent"))).toThrow("Key not found");
    expect(() => versionOf(standard, bytes("k"), 999)).toThrow("Invalid arguments (index query)");
    expect(() => versionOf(standard, bytes("k"), standard.log.lastLsn)).toThrow("Invalid arguments (invalid key)");
});
