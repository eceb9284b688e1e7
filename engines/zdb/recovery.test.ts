import { beforeEach, describe, expect, test } from "vitest";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { drop, openStore, put, readValue, type Store } from "../../test/zdb/store.ts";
import { RECORD_HEAD_BYTES } from "./record.ts";
import { newSegmentHeader } from "./segment-files.ts";
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from "./segment-header.ts";

/** What the log says after its first n records. */
const HISTORY: readonly Readonly<Record<string, string>>[] = [
    {},
    { a: "first" },
    { a: "first", b: "x".repeat(100) },
    { a: "second", b: "x".repeat(100) },
    { a: "second" },
    { a: "second", c: "" },
];
const KEYS = ["a", "b", "c"];
const LOG = "/data/default/d0";

/** A server was killed after the history above. */
let killed: MemoryDisk;
/** End of each record in the one segment of `default`. */
let ends: number[];
let size: number;

beforeEach(async () => {
    const disk = new MemoryDisk("/data");
    const { standard, namespaces } = await openStore("/data", { disk });
    ends = [standard.log.activeOffset];
    const steps = [
        () => put(standard, "a", "first"),
        () => put(standard, "b", "x".repeat(100)),
        () => put(standard, "a", "second"),
        () => drop(standard, "b"),
        () => put(standard, "c", ""),
    ];
    for (const step of steps) {
        step();
        ends.push(standard.log.activeOffset);
    }
    killed = disk.copy();
    size = killed.contents(LOG).length;
    await namespaces.close();
});

interface Reopened {
    readonly store: Store;
    readonly disk: MemoryDisk;
}

async function reopen(change: (log: Buffer) => Buffer, from = killed): Promise<Reopened> {
    const disk = from.copy();
    disk.replace(LOG, change(disk.contents(LOG)));
    return { disk, store: await openStore("/data", { disk }) };
}

function contents({ standard }: Store): Record<string, string> {
    const found: Record<string, string> = {};
    for (const key of KEYS) {
        const value = readValue(standard, key);
        if (value !== undefined) found[key] = value;
    }
    return found;
}

const flipped = (bit: number) => (log: Buffer) => {
    const byte = Math.floor(bit / 8);
    log[byte] = (log[byte] ?? 0) ^ (1 << (bit % 8));
    return log;
};

describe("a log cut at every byte", () => {
    test("keeps every record before the cut, cuts the rest, and goes on", async () => {
        expect(ends[0]).toBe(SEGMENT_HEADER_BYTES);
        for (let length = SEGMENT_HEADER_BYTES; length <= size; length++) {
            const { store, disk } = await reopen((log) => log.subarray(0, length));
            const whole = ends.filter((end) => end <= length).length - 1;
            expect(contents(store), `cut at ${length}`).toEqual(HISTORY[whole]);
            expect(disk.contents(LOG).length).toBe(ends[whole]);
            expect(store.lines.some((line) => line.includes("cut"))).toBe(ends[whole] !== length);
            put(store.standard, "new", "after");
            await store.namespaces.close();

            const again = await openStore("/data", { disk });
            expect(readValue(again.standard, "new")).toBe("after");
            expect(contents(again)).toEqual(HISTORY[whole]);
            await again.namespaces.close();
            expect(disk.openFiles).toBe(0);
        }
    });

    test("zeros after the last record are cut", async () => {
        const { store, disk } = await reopen((log) => Buffer.concat([log, Buffer.alloc(4096)]));
        expect(contents(store)).toEqual(HISTORY.at(-1));
        expect(disk.contents(LOG).length).toBe(ends.at(-1));
        await store.namespaces.close();
    });

    test("a segment header cut short is damage, nothing is written", async () => {
        for (const length of [0, 1, SEGMENT_HEADER_BYTES - 1]) {
            const { store, disk } = await reopen((log) => log.subarray(0, length));
            expect(store.standard.disturbance).toMatch(/^read-only \(.*damaged at d0/);
            expect(() => put(store.standard, "a", "b")).toThrow(/read-only/);
            await store.namespaces.close();
            expect(disk.contents(LOG).length).toBe(length);
        }
    });
});

describe("a log with one bit flipped", () => {
    test("is never believed: wrong bytes and strange keys do not come out, later records stay, nothing is cut", {
        timeout: 120_000,
    }, async () => {
        const startOfLast = ends.at(-2) ?? 0;
        for (let bit = 0; bit < size * 8; bit++) {
            const { store, disk } = await reopen(flipped(bit));
            const { standard, lines } = store;
            const found = KEYS.map((key) => readable(store, key));
            const isDamaged = standard.disturbance !== undefined;
            expect(standard.entries).toBeLessThanOrEqual(KEYS.length);
            if (bit >= startOfLast * 8) {
                // The last record is indistinguishable from an unfinished write.
                expect(contents(store), `bit ${bit}`).toEqual(HISTORY[4]);
                expect(lines.join()).toContain("cut");
            } else {
                expect(disk.contents(LOG).length).toBe(size);
                if (isDamaged) expect(() => put(standard, "new", "x")).toThrow(/read-only/);
                for (const [place, value] of found.entries()) expect(possible(KEYS[place] ?? "")).toContain(value);
                const isFound = isDamaged || found.includes("unreadable") || isReplacedValue(Math.floor(bit / 8));
                expect(isFound, `bit ${bit}`).toBe(true);
            }
            await store.namespaces.close();
        }
    });

    test("in the last value of a log closed in order is an error, not an older value", async () => {
        const disk = killed.copy();
        await (await openStore("/data", { disk })).namespaces.close();
        const { store } = await reopen((log) => flipped(log.lastIndexOf("second") * 8)(log), disk);
        expect(store.standard.disturbance).toBeUndefined();
        expect(() => readValue(store.standard, "a")).toThrow("unreadable");
        await store.namespaces.close();
    });
});

function readable({ standard }: Store, key: string): string | undefined {
    try {
        return readValue(standard, key);
    } catch {
        return "unreadable";
    }
}

const possible = (key: string): (string | undefined)[] => [...HISTORY.map((state) => state[key]), "unreadable"];

/** Bytes of a value that was replaced or deleted later: nobody reads them any more. */
function isReplacedValue(byte: number): boolean {
    return [1, 2].some((record) => {
        const start = (ends[record - 1] ?? 0) + RECORD_HEAD_BYTES + 1;
        return byte >= start && byte < (ends[record] ?? 0);
    });
}

describe("a machine without power", () => {
    test("a last value whose payload never reached the disk gives way to the one before", async () => {
        const { store } = await reopen((log) => {
            const cut = log.subarray(0, ends[3]);
            cut.fill(0, cut.length - "second".length);
            return cut;
        });
        expect(contents(store)).toEqual(HISTORY[2]);
        expect(store.lines.join()).toContain("cut");
        await store.namespaces.close();
    });

    test("values that look like records do not turn a torn tail into damage", async () => {
        const disk = killed.copy();
        const { standard, namespaces } = await openStore("/data", { disk });
        const forged = disk.contents(LOG).subarray(ends[1], ends[3]);
        standard.set(Buffer.from("forged"), Buffer.concat([forged, forged]), 1);
        standard.log.write();
        const torn = disk.copy();
        await namespaces.close();
        const { store } = await reopen((log) => log.subarray(0, log.length - 3), torn);
        expect(store.standard.disturbance).toBeUndefined();
        expect(contents(store)).toEqual(HISTORY.at(-1));
        await store.namespaces.close();
    });
});

describe("segments", () => {
    test("one that was made in vain, and came back without a record while the log went on in the one before, is removed", async () => {
        const disk = new MemoryDisk("/data");
        const { standard, namespaces } = await openStore("/data", { disk });
        for (const key of ["a", "b", "c"]) put(standard, key, "v");
        const header = newSegmentHeader(standard.log.epoch, 1, 2, 1, 4096);
        const left = disk.copy();
        left.replace("/data/default/d1", encodeSegmentHeader(header));
        await namespaces.close();
        const torn = left.copy();
        torn.replace(LOG, torn.contents(LOG).subarray(0, -1));
        torn.replace("/data/default/d1", encodeSegmentHeader({ ...header, firstLsn: 3 }));
        for (const [last, entries] of [
            [left, 3],
            [torn, 2],
        ] as const) {
            const again = await openStore("/data", { disk: last });
            expect(again.standard.disturbance).toBeUndefined();
            expect(again.standard.entries).toBe(entries);
            put(again.standard, "d", "v");
            expect(last.list("/data/default")).toEqual(["d0"]);
            await again.namespaces.close();
        }
    });

    test("a missing one, a damaged header and a torn end of a closed one are damage; one that was only begun is not", async () => {
        const disk = new MemoryDisk("/data");
        const store = await openStore("/data", { disk, segmentBytes: 400 });
        for (let place = 0; place < 20; place++) put(store.standard, `key-${place}`, "v".repeat(60));
        await store.namespaces.close();
        const segments = disk.list("/data/default").length;
        expect(segments).toBeGreaterThan(5);

        const variant = async (change: (disk: MemoryDisk) => void): Promise<Store> => {
            const copy = disk.copy();
            change(copy);
            return openStore("/data", { disk: copy });
        };
        const missing = await variant((copy) => copy.remove("/data/default/d2"));
        expect(missing.standard.disturbance).toContain("d3");
        expect(readValue(missing.standard, "key-19")).toBe("v".repeat(60));
        const header = await variant((copy) => copy.replace("/data/default/d1", Buffer.alloc(400)));
        expect(header.standard.disturbance).toContain("d1");
        const torn = await variant((copy) => copy.replace("/data/default/d1", copy.contents("/data/default/d1").subarray(0, 300)));
        expect(torn.standard.disturbance).toContain("d1");
        expect(readValue(torn.standard, "key-0")).toBe("v".repeat(60));
        const begun = await variant((copy) => copy.replace(`/data/default/d${segments}`, Buffer.from("ZFZ")));
        expect(begun.standard.disturbance).toBeUndefined();
        expect(begun.standard.entries).toBe(20);
        expect(begun.lines.join()).toContain("removed segment");
        for (const opened of [missing, header, torn, begun]) await opened.namespaces.close();
    });
});
