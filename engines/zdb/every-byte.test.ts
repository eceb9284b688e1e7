import { beforeAll, describe, expect, test } from "vitest";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { drop, openStore, put, readValue, type Store } from "../../test/zdb/store.ts";
import { flip } from "../../test/zdb/tool-run.ts";
import { buildSidecar } from "./sidecar-building.ts";
import { Slices } from "./slices.ts";

/** Of every so many bits one is flipped; `npm run faults:zdb` flips each. */
const BIT_STEP = Number(process.env.ZEROFORM_ZDB_BIT_STEP ?? 29);
/** And of every so many bytes a file is cut at one. */
const BYTE_STEP = Math.min(BIT_STEP, 5);
const TIMEOUT_MS = 120_000 + 1_000_000 / BIT_STEP;

const options = { segmentBytes: 520, checkpointBytes: 1 };
/** Everything that is in the store in the end; a key without a value was deleted. */
const FINAL: Readonly<Record<string, string | undefined>> = {
    a: "a".repeat(60),
    b: "newer",
    c: undefined,
    d: "d".repeat(60),
    e: "",
    f: "last but one",
    g: "last",
};
/** What was there before. */
const OLDER: Readonly<Record<string, readonly (string | undefined)[]>> = { b: ["b".repeat(60)], c: ["c".repeat(60)] };
const KEYS = Object.keys(FINAL);

/** A store of closed segments with sidecars, one that is appended to, and a checkpoint; as an orderly end leaves it, and as a kill does. */
let ended: MemoryDisk;
let killed: MemoryDisk;

beforeAll(async () => {
    ended = new MemoryDisk("/data");
    const { standard, namespaces } = await openStore("/data", { disk: ended, ...options });
    for (const key of ["a", "b", "c", "d"]) put(standard, key, key.repeat(60));
    put(standard, "b", "newer");
    drop(standard, "c");
    put(standard, "e", "");
    standard.nextSegment();
    put(standard, "f", "last but one");
    const { segments, sidecars } = standard;
    for (const segment of segments.closed) await buildSidecar(ended, segments, sidecars, segment, new Slices());
    await standard.checkpoint.write(new Slices());
    put(standard, "g", "last");
    expect(segments.closed).toHaveLength(2);
    killed = ended.copy();
    await namespaces.close();
    expect(ended.usedBytes).toBeLessThan(4096);
    expect(ended.list("/data/.index/default").sort()).toEqual(["checkpoint", "i0", "i1"]);
});

const REST = "unreadable";

/** Everything that a key ever was. */
const written = (key: string): (string | undefined)[] => [FINAL[key], undefined, ...(OLDER[key] ?? []), REST];

function read({ standard }: Store, key: string): string | undefined {
    try {
        return readValue(standard, key);
    } catch {
        return REST;
    }
}

/** Every damage that is tried on a file: bits that are others, and cuts. */
function* damages(disk: MemoryDisk, file: string): Generator<readonly [what: string, damaged: MemoryDisk]> {
    const whole = disk.contents(file);
    for (let bit = 0; bit < whole.length * 8; bit += BIT_STEP) yield [`${file}, bit ${bit}`, flip(disk, file, bit)];
    for (let length = 0; length < whole.length; length += BYTE_STEP) {
        const cut = disk.copy();
        cut.replace(file, whole.subarray(0, length));
        yield [`${file}, cut at ${length}`, cut];
    }
}

/** Starts on each, lets `judge` look, and ends in order. */
async function tryAll(from: () => MemoryDisk, file: string, judge: (store: Store, what: string) => void): Promise<void> {
    for (const [what, disk] of damages(from(), file)) {
        const store = await openStore("/data", { disk, ...options });
        judge(store, what);
        await store.namespaces.close();
        expect(disk.openFiles, what).toBe(0);
    }
}

describe.each([
    ["an orderly end", () => ended],
    ["a kill", () => killed],
] as const)("after %s a start on a store with", (_how, from) => {
    test.each(["i0", "i1", "checkpoint"])("any damage of %s has everything: it can be made anew", { timeout: TIMEOUT_MS }, async (name) => {
        await tryAll(from, `/data/.index/default/${name}`, (store, what) => {
            for (const key of KEYS) expect(read(store, key), `${what}, ${key}`).toBe(FINAL[key]);
            expect(store.standard.disturbance, what).toBeUndefined();
            put(store.standard, "new", "written");
            expect(read(store, "new"), what).toBe("written");
        });
    });

    test.each(["d0", "d1"])(
        "any damage of %s has what is sound; an older value or none only while that is said",
        { timeout: TIMEOUT_MS },
        async (name) => {
            await tryAll(from, `/data/default/${name}`, (store, what) => {
                const isSaid = store.standard.disturbance?.startsWith("read-only (") === true;
                for (const key of KEYS) {
                    const allowed = isSaid ? written(key) : [FINAL[key], REST];
                    expect(allowed, `${what}, ${key}`).toContain(read(store, key));
                }
                if (isSaid) expect(() => put(store.standard, "new", "x"), what).toThrow("read-only");
            });
        },
    );

    test("any damage of the segment that is appended to never has bytes that nobody wrote", { timeout: TIMEOUT_MS }, async () => {
        await tryAll(from, "/data/default/d2", (store, what) => {
            for (const key of KEYS) expect(written(key), `${what}, ${key}`).toContain(read(store, key));
            // What is in the closed ones is not touched by it.
            for (const key of ["a", "d", "e"]) expect(read(store, key), `${what}, ${key}`).toBe(FINAL[key]);
        });
    });
});
