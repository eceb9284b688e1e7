import { beforeAll, describe, expect, test } from "vitest";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { bytes, drop, openStore, put, readValue } from "../../test/zdb/store.ts";
import { flip, runOn, stopping } from "../../test/zdb/tool-run.ts";
import type { Namespace } from "./namespace.ts";
import { buildSidecar } from "./sidecar-building.ts";
import { Slices } from "./slices.ts";
import { CHECK } from "./tool-check.ts";
import { REPAIR } from "./tool-repair.ts";

const LOG = "/data/one";
const WITH_INDEX = ["/data", "--index", "/data/.index"];

/** What each key had in turn; undefined when it was deleted. */
const HISTORY: Readonly<Record<string, readonly (string | undefined)[]>> = {
    a: ["a".repeat(60)],
    b: ["b".repeat(60), "newer"],
    c: ["c".repeat(60), undefined],
    d: ["d".repeat(60), "d2".repeat(30)],
    e: ["e"],
};

let disk: MemoryDisk;

/** A private namespace of three segments; the closed ones have sidecars. */
beforeAll(async () => {
    disk = await storeOf("user", (one) => {
        for (const key of ["a", "b", "c", "d"]) put(one, key, HISTORY[key]?.[0] ?? "");
        put(one, "b", "newer");
        drop(one, "c");
        put(one, "d", HISTORY.d?.[1] ?? "");
        put(one, "e", "e");
    });
    expect(disk.list(LOG).sort()).toEqual(["d0", "d1", "d2"]);
});

async function storeOf(mode: "user" | "seq", fill: (one: Namespace) => void): Promise<MemoryDisk> {
    const made = new MemoryDisk("/data");
    const { namespaces } = await openStore("/data", { disk: made, segmentBytes: 500 });
    const one = await namespaces.create("one");
    await one.setProperty({ name: "mode", text: mode });
    await one.setProperty({ name: "password", text: "pw" });
    await one.setProperty({ name: "public", text: "0" });
    fill(one);
    for (const segment of one.segments.closed) await buildSidecar(made, one.segments, one.sidecars, segment, new Slices());
    await namespaces.close();
    return made;
}

async function opened(on: MemoryDisk): Promise<Namespace> {
    const { namespaces } = await openStore("/data", { disk: on });
    const one = namespaces.get("one");
    if (!one) throw new Error("no namespace");
    return one;
}

/** Repairs it, and makes sure that nothing is wrong with it then and that it can be written to. */
async function repaired(broken: MemoryDisk, ...argv: readonly string[]): Promise<{ readonly one: Namespace; readonly out: string }> {
    const { code, out, said } = await runOn(broken, REPAIR, ...argv, "--apply");
    expect(code, `${out}${said.join("\n")}`).toBe(0);
    const after = await runOn(broken, CHECK, ...argv);
    expect(after.code, `${out}${said.join("\n")}${after.out}`).toBe(0);
    const one = await opened(broken);
    expect(one.log.failure, out).toBeUndefined();
    put(one, "new", "written");
    expect(readValue(one, "new")).toBe("written");
    return { one, out };
}

const currentValue = (one: Namespace, key: string): string | undefined => (one.find(bytes(key)) ? readValue(one, key) : undefined);

describe("zdb repair", () => {
    test("has nothing to do with a sound store, and changes nothing unasked", async () => {
        const before = disk.copy();
        const { code, out } = await runOn(disk, REPAIR, ...WITH_INDEX);
        expect([code, out]).toEqual([0, "namespace default: sound, nothing to repair\nnamespace one: sound, nothing to repair\n"]);
        const broken = flip(disk, `${LOG}/d0`, (disk.contents(`${LOG}/d0`).indexOf("aaaa") + 1) * 8);
        const dry = await runOn(broken, REPAIR, ...WITH_INDEX);
        expect(dry.code).toBe(1);
        expect(dry.out).toContain("a repair would:\n    delete 1 key whose newest record is lost");
        expect(dry.out).toContain("write d0 anew from what can be read of it; the original stays beside it as d0.damaged-0");
        for (const file of ["d0", "d1", "d2"]) expect(disk.contents(`${LOG}/${file}`)).toEqual(before.contents(`${LOG}/${file}`));
        expect(broken.list(LOG).sort()).toEqual(["d0", "d1", "d2"]);
    });

    test("with the sidecar no bit costs more than one value, and none brings an older one back", async () => {
        for (const file of ["d0", "d1", "d2"]) {
            const bits = disk.contents(`${LOG}/${file}`).length * 8;
            for (let bit = 3; bit < bits; bit += 149) {
                const broken = flip(disk, `${LOG}/${file}`, bit);
                const { one, out } = await repaired(broken, ...WITH_INDEX);
                const isKnown = file !== "d2";
                const wrong = Object.entries(HISTORY).filter(([key, versions]) => currentValue(one, key) !== versions.at(-1));
                for (const [key, versions] of wrong) {
                    const value = currentValue(one, key);
                    if (isKnown) expect([undefined], `${file} bit ${bit} key ${key}: ${out}`).toContain(value);
                    else expect([undefined, ...versions]).toContain(value);
                }
                if (isKnown) expect(wrong.length, `${file} bit ${bit}: ${out}`).toBeLessThanOrEqual(1);
                if (isKnown && one.properties.password === "pw") expect(one.properties.public).toBe(false);
                expect(one.properties.public && one.closedReason === undefined).toBe(false);
                await one.log.close();
            }
        }
    });

    test("without it what nobody can vouch for is shut until it is set anew", async () => {
        const at = disk.contents(`${LOG}/d1`).indexOf("cccc") - 40;
        const broken = flip(disk, `${LOG}/d1`, (at + 9) * 8);
        const { one, out } = await repaired(broken, "/data");
        expect(out).toContain("of these, 1 record had been superseded by later ones: nothing but history");
        expect(one.closedReason).toBeUndefined();

        const first = disk.contents(`${LOG}/d0`).indexOf("aaaa") - 40;
        const { one: shut, out: words } = await repaired(flip(disk, `${LOG}/d0`, (first + 9) * 8), "/data");
        expect(words).toContain("keep clients out until an administrator sets a password");
        expect(shut.disturbance).toBe("closed (its password is lost; an admin must set it anew)");
        expect(shut.properties.public).toBe(false);
        await shut.setProperty({ name: "password", text: "another" });
        expect(shut.disturbance).toBeUndefined();
        expect(currentValue(shut, "a")).toBeUndefined();
        expect(currentValue(shut, "d")).toBe(HISTORY.d?.[1]);
    });

    test("a missing segment is made up for by the one before it; its sidecar tells which keys it had", async () => {
        const broken = disk.copy();
        broken.remove(`${LOG}/d1`);
        const { out } = await runOn(broken, REPAIR, ...WITH_INDEX);
        expect(out).toContain(`segment d1 is missing`);
        const { one } = await repaired(broken, ...WITH_INDEX);
        expect(currentValue(one, "a")).toBe(HISTORY.a?.[0]);
        // Its deletion was in the segment that is missing.
        expect(currentValue(one, "c")).toBeUndefined();
        expect(currentValue(one, "b")).toBeUndefined();
        expect(broken.exists("/data/.index/one/i1")).toBe(false);
        for (const name of ["d0", "d2"]) {
            const other = disk.copy();
            other.remove(`${LOG}/${name}`);
            if (name === "d0") expect((await repaired(other, ...WITH_INDEX)).one.properties.public).toBe(false);
        }
    });

    test("a header is told by the sidecar; a file that nothing is known of is put aside", async () => {
        const broken = flip(disk, `${LOG}/d1`, 20 * 8);
        const { one } = await repaired(broken, ...WITH_INDEX);
        for (const [key, versions] of Object.entries(HISTORY)) expect(currentValue(one, key)).toBe(versions.at(-1));
        expect(one.closedReason).toBeUndefined();

        for (const file of ["d0", "d1", "d2"]) {
            const without = disk.copy();
            const content = disk.contents(`${LOG}/${file}`);
            // The header, and the first record that could tell its salt.
            content.fill(0, 0, 180);
            without.replace(`${LOG}/${file}`, content);
            const { one: shut, out } = await repaired(without, "/data");
            expect(out).toContain(`put ${file} aside as ${file}.damaged-0: nothing can be read of it`);
            expect(shut.closedReason).toBeDefined();
            expect(without.list(LOG)).toContain(`${file}.damaged-0`);
        }
        const nothing = disk.copy();
        for (const file of ["d0", "d1", "d2"]) nothing.replace(`${LOG}/${file}`, Buffer.alloc(500));
        expect((await repaired(nothing, "/data")).one.closedReason).toBeDefined();
    });

    test("sequential ids: none is given out again, and a lost mode is known by the keys", async () => {
        const seq = await storeOf("seq", (one) => {
            for (let id = 0; id < 12; id++) one.set(Buffer.alloc(0), bytes(`value ${id}`.repeat(5)), 1);
            one.log.write();
        });
        const before = await opened(seq.copy());
        const next = before.nextId();
        const bits = seq.contents(`${LOG}/d0`).length * 8;
        for (const argv of [WITH_INDEX, ["/data"]]) {
            for (let bit = 129 * 8; bit < bits; bit += 97) {
                const broken = flip(seq, `${LOG}/d0`, bit);
                expect((await runOn(broken, REPAIR, ...argv, "--apply")).code).toBe(0);
                const one = await opened(broken);
                expect(one.properties.mode).toBe("seq");
                // A lost record that may have been a value may have taken an id.
                expect([next, next + 1]).toContain(one.nextId());
                expect(one.entries).toBeGreaterThanOrEqual(11);
                await one.log.close();
            }
        }
        const tail = seq.copy();
        const last = seq.list(LOG).sort().at(-1) ?? "";
        const content = seq.contents(`${LOG}/${last}`);
        tail.replace(`${LOG}/${last}`, Buffer.concat([content.subarray(0, 140), Buffer.alloc(content.length - 140)]));
        tail.replace(`${LOG}/d0`, flip(seq, `${LOG}/d0`, 200 * 8).contents(`${LOG}/d0`));
        expect((await runOn(tail, REPAIR, "/data", "--apply")).code).toBe(0);
        expect((await opened(tail)).nextId()).toBeGreaterThanOrEqual(next);
    });

    test("stopped at any step it leaves a namespace that is shut or repaired, and comes to the same end when it is begun again", async () => {
        const broken = disk.copy();
        const damaged = broken.contents(`${LOG}/d0`);
        damaged.fill(0, damaged.indexOf("aaaa") - 40, damaged.indexOf("bbbb"));
        broken.replace(`${LOG}/d0`, damaged);
        const tail = broken.contents(`${LOG}/d2`);
        tail.fill(0, 150, 160);
        broken.replace(`${LOG}/d2`, tail);
        const whole = await repaired(broken.copy(), "/data");
        const expected = Object.keys(HISTORY).map((key) => currentValue(whole.one, key));
        expect(whole.one.closedReason).toBeDefined();
        for (let steps = 0; ; steps++) {
            const copy = broken.copy();
            const stop = stopping(copy, steps);
            await runOn(stop.disk, REPAIR, "/data", "--apply");
            const left = copy.copy();
            const one = await opened(left.copy());
            expect(one.closedReason, `after ${steps} steps`).toBeDefined();
            await one.log.close();
            const again = await repaired(left, "/data");
            expect(
                Object.keys(HISTORY).map((key) => currentValue(again.one, key)),
                `after ${steps} steps`,
            ).toEqual(expected);
            expect(again.one.closedReason).toBeDefined();
            if (!stop.wasHit) break;
        }
    });

    test("what was put aside stays until it is told otherwise", async () => {
        const at = disk.contents(`${LOG}/d0`).indexOf("aaaa") + 1;
        const broken = flip(disk, `${LOG}/d0`, at * 8);
        const original = broken.contents(`${LOG}/d0`);
        await repaired(broken, ...WITH_INDEX);
        expect(broken.contents(`${LOG}/d0.damaged-0`)).toEqual(original);
        const removal = await runOn(broken, REPAIR, "/data", "--remove-originals");
        expect(removal).toMatchObject({ code: 0, out: "removed /data/one/d0.damaged-0\n" });
        expect(broken.exists(`${LOG}/d0.damaged-0`)).toBe(false);
        expect((await runOn(broken, REPAIR, "/data", "--remove-originals", "--apply")).code).toBe(2);
    });
});
