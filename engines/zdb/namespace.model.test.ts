import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { openStore, readValue, type Store } from "../../test/zdb/store.ts";
import type { Namespace } from "./namespace.ts";
import { scanNamespace, versionOf } from "./namespace-reading.ts";
import type { Mode } from "./properties.ts";
import { Refusal } from "./refusal.ts";
import type { Segment } from "./segment.ts";
import { buildSidecar } from "./sidecar-building.ts";
import { Slices } from "./slices.ts";

const EVERYTHING = { entries: 1000, ms: 60_000 };

/** More of them find rarer things: `ZEROFORM_MODEL_RUNS=20000`. */
const RUNS = Number(process.env.ZEROFORM_MODEL_RUNS ?? 120);

/** What a client may do, and what may happen to the server between two commands. */
type Step =
    | { readonly do: "set"; readonly key: number; readonly value: string }
    | { readonly do: "delete"; readonly key: number }
    | { readonly do: "write" | "list" | "checkpoint" }
    /** Closed segments from here on are rewritten to one. */
    | { readonly do: "compact"; readonly from: number; readonly count: number }
    | { readonly do: "restart" | "kill" };

const key = fc.nat({ max: 12 });
const value = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom("", "same", "x".repeat(700)),
    fc.nat({ max: 300 }).map((length) => "y".repeat(length)),
);
const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 12, arbitrary: fc.record({ do: fc.constant("set" as const), key, value }) },
    { weight: 5, arbitrary: fc.record({ do: fc.constant("delete" as const), key }) },
    { weight: 4, arbitrary: fc.constant({ do: "write" as const }) },
    { weight: 2, arbitrary: fc.constant({ do: "list" as const }) },
    { weight: 2, arbitrary: fc.constant({ do: "checkpoint" as const }) },
    {
        weight: 3,
        arbitrary: fc.record({ do: fc.constant("compact" as const), from: fc.nat({ max: 6 }), count: fc.integer({ min: 1, max: 4 }) }),
    },
    { weight: 1, arbitrary: fc.constant({ do: "restart" as const }) },
    { weight: 1, arbitrary: fc.constant({ do: "kill" as const }) },
);

/** The store as simple as it can be said. */
class Model {
    readonly values = new Map<string, string>();
    /** Of each key since it was new, the oldest first. */
    readonly versions = new Map<string, string[]>();
    nextId = 0;
    private readonly mode: Mode;

    constructor(mode: Mode) {
        this.mode = mode;
    }

    /** The key of a step: in sequential mode an id, of which some were never given out. */
    key(number: number): Buffer {
        if (this.mode === "user") return Buffer.from(`key ${number}`);
        const id = Buffer.alloc(8);
        id.writeUInt32LE(number);
        return id;
    }

    /** In sequential mode, key 0 of a step asks for a new id. */
    set(number: number, value: string): { outcome: string; key: string } | { error: string } {
        if (this.mode === "seq" && number === 0) {
            const id = this.key(this.nextId++).toString("latin1");
            this.values.set(id, value);
            this.versions.set(id, [value]);
            return { outcome: "written", key: id };
        }
        const text = this.key(number).toString("latin1");
        if (this.mode === "seq" && !this.values.has(text)) return { error: "Invalid key, only update authorized" };
        if (this.values.get(text) === value) return { outcome: "unchanged", key: text };
        // In the order of the last write, as a scan lists them.
        this.values.delete(text);
        this.values.set(text, value);
        this.versions.set(text, [...(this.versions.get(text) ?? []), value]);
        this.nextId++;
        return { outcome: "written", key: text };
    }

    delete(number: number): { error: string } | undefined {
        this.versions.delete(this.key(number).toString("latin1"));
        return this.values.delete(this.key(number).toString("latin1")) ? undefined : { error: "Key not found" };
    }
}

/** `kept`: so many versions of each key are kept as history; 0: none is promised. */
async function follow(mode: Mode, steps: readonly Step[], kept: number): Promise<void> {
    let disk = new MemoryDisk("/data");
    const options = { mode, segmentBytes: 600, checkpointBytes: 1500, openFiles: 2 };
    let store = await openStore("/data", { ...options, disk });
    const model = new Model(mode);
    if (kept > 0) await store.standard.setProperty({ name: "history", text: `count ${kept}` });
    for (const each of steps) {
        switch (each.do) {
            case "set": {
                const asked = mode === "seq" && each.key === 0 ? Buffer.alloc(0) : model.key(each.key);
                const done = outcome(() => store.standard.set(asked, Buffer.from(each.value), 7));
                expect(done).toEqual(model.set(each.key, each.value));
                break;
            }
            case "delete":
                expect(outcome(() => void store.standard.delete(model.key(each.key), 7))).toEqual(model.delete(each.key));
                break;
            case "write":
                store.standard.log.write();
                break;
            case "list":
                for (const segment of store.standard.segments.closed) if (segment.marks) await listed(store.standard, disk, segment);
                break;
            case "checkpoint":
                await store.standard.checkpoint.write(new Slices());
                break;
            case "compact": {
                const run = store.standard.segments.closed.slice(each.from, each.from + each.count);
                if (run.length > 0) await store.standard.upkeep.rewrite(run);
                break;
            }
            case "restart":
                await store.namespaces.close();
                expect(disk.openFiles).toBe(0);
                store = await openStore("/data", { ...options, disk });
                break;
            case "kill":
                // Answers go out after the write of the turn, so that is when a kill may come.
                store.standard.log.write();
                disk = disk.copy();
                store = await openStore("/data", { ...options, disk });
                break;
        }
        check(store, model);
        if (each.do === "compact" || each.do === "restart" || each.do === "kill") checkHistory(store.standard, model, kept);
    }
    await store.namespaces.close();
}

function listed({ segments, sidecars }: Namespace, disk: MemoryDisk, segment: Segment): Promise<void> {
    return buildSidecar(disk, segments, sidecars, segment, new Slices());
}

/** What can be read of the versions of a key before the newest, from that on. */
function history(namespace: Namespace, key: Buffer): string[] {
    const found: string[] = [];
    for (let { previousLsn } = versionOf(namespace, key); previousLsn !== undefined; ) {
        const version = versionOf(namespace, key, previousLsn);
        found.push(version.payload?.toString() ?? "unreadable");
        previousLsn = version.previousLsn;
    }
    return found;
}

function checkHistory(namespace: Namespace, model: Model, kept: number): void {
    for (const [name, versions] of model.versions) {
        const older = versions.slice(0, -1).reverse();
        const found = history(namespace, Buffer.from(name, "latin1"));
        expect(found).toEqual(older.slice(0, found.length));
        expect(found.length).toBeGreaterThanOrEqual(Math.min(kept, older.length));
    }
}

function check({ standard, lines }: Store, model: Model): void {
    expect(standard.disturbance).toBeUndefined();
    // A checkpoint is of no use once segments were rewritten.
    for (const line of lines) expect(line).toMatch(/checkpoint of its index is not used: segment d\d+ (was rewritten since|is missing)/);
    expect(standard.entries).toBe(model.values.size);
    expect(standard.nextId()).toBe(model.nextId);
    let bytes = 0;
    for (const [name, value] of model.values) {
        bytes += Buffer.byteLength(value);
        expect(Buffer.from(readValue(standard, Buffer.from(name, "latin1")) ?? "absent", "latin1").toString()).toBe(value);
    }
    expect(standard.liveBytes).toBe(bytes);
    const forwards = scanNamespace(standard, undefined, 1, EVERYTHING).entries.map(({ key }) => key.toString("latin1"));
    expect(forwards).toEqual([...model.values.keys()]);
    const backwards = scanNamespace(standard, undefined, -1, EVERYTHING).entries.map(({ key }) => key.toString("latin1"));
    expect(backwards).toEqual(forwards.reverse());
    for (const { garbageBytes, endOffset, liveBytes } of standard.segments.all) expect(garbageBytes + liveBytes).toBeLessThan(endOffset);
    for (let number = 0; number <= 12; number++) {
        const name = model.key(number);
        if (!model.values.has(name.toString("latin1"))) expect(standard.find(name)).toBeUndefined();
    }
}

function outcome(run: () => { outcome: string; key: Buffer } | undefined): unknown {
    try {
        const result = run();
        return result && { outcome: result.outcome, key: result.key.toString("latin1") };
    } catch (error) {
        if (error instanceof Refusal) return { error: error.message };
        throw error;
    }
}

describe.each(["user", "seq"] as const)("a namespace of mode %s", (mode) => {
    test("does what a map does, over small segments, restarts and kills", { timeout: Math.max(120_000, RUNS * 500) }, async () => {
        await fc.assert(
            fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 80, size: "max" }), fc.nat({ max: 2 }), (steps, kept) =>
                follow(mode, steps, kept),
            ),
            { numRuns: RUNS, seed: Number(process.env.ZEROFORM_SEED ?? 1) },
        );
    });
});
