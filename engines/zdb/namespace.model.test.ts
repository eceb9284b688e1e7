import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { openStore, readValue, type Store } from "../../test/zdb/store.ts";
import type { Mode } from "./properties.ts";
import { Refusal } from "./refusal.ts";

/** What a client may do, and what may happen to the server between two commands. */
type Step =
    | { readonly do: "set"; readonly key: number; readonly value: string }
    | { readonly do: "delete"; readonly key: number }
    | { readonly do: "write" }
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
    { weight: 1, arbitrary: fc.constant({ do: "restart" as const }) },
    { weight: 1, arbitrary: fc.constant({ do: "kill" as const }) },
);

/** The store as simple as it can be said. */
class Model {
    readonly values = new Map<string, string>();
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
            return { outcome: "written", key: id };
        }
        const text = this.key(number).toString("latin1");
        if (this.mode === "seq" && !this.values.has(text)) return { error: "Invalid key, only update authorized" };
        if (this.values.get(text) === value) return { outcome: "unchanged", key: text };
        this.values.set(text, value);
        this.nextId++;
        return { outcome: "written", key: text };
    }

    delete(number: number): { error: string } | undefined {
        return this.values.delete(this.key(number).toString("latin1")) ? undefined : { error: "Key not found" };
    }
}

async function follow(mode: Mode, steps: readonly Step[]): Promise<void> {
    let disk = new MemoryDisk("/data");
    const options = { mode, segmentBytes: 600, openFiles: 2 };
    let store = await openStore("/data", { ...options, disk });
    const model = new Model(mode);
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
    }
    await store.namespaces.close();
}

function check({ standard, lines }: Store, model: Model): void {
    expect(standard.disturbance).toBeUndefined();
    expect(lines).toEqual([]);
    expect(standard.entries).toBe(model.values.size);
    expect(standard.nextId()).toBe(model.nextId);
    let bytes = 0;
    for (const [name, value] of model.values) {
        bytes += Buffer.byteLength(value);
        expect(Buffer.from(readValue(standard, Buffer.from(name, "latin1")) ?? "absent", "latin1").toString()).toBe(value);
    }
    expect(standard.liveBytes).toBe(bytes);
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
    test("does what a map does, over small segments, restarts and kills", async () => {
        await fc.assert(
            fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => follow(mode, steps)),
            { numRuns: 250 },
        );
    });
});
