import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { openStore, put, readValue } from "../../test/zdb/store.ts";
import { flip, runOn } from "../../test/zdb/tool-run.ts";
import { startOfChecksum } from "./header-recovery.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-header.ts";
import { REPAIR } from "./tool-repair.ts";

const LOG = "/data/one/d0";

test("a checksum tells what it was started from", () => {
    for (const start of [0, 1, 0x1234_5678, 0xffff_ffff]) {
        for (const text of ["", "a", "a longer text"]) {
            const bytes = Buffer.from(text);
            expect(startOfChecksum(bytes, crc32(bytes, start))).toBe(start);
        }
    }
});

async function store(mode: "user" | "seq"): Promise<MemoryDisk> {
    const disk = new MemoryDisk("/data");
    const { namespaces } = await openStore("/data", { disk });
    const one = await namespaces.create("one");
    await one.setProperty({ name: "mode", text: mode });
    await one.setProperty({ name: "public", text: "0" });
    for (const value of ["a", "b", "c"]) put(one, mode === "user" ? value : "", value);
    await namespaces.close();
    return disk;
}

async function repairedOne(disk: MemoryDisk) {
    const { code, out } = await runOn(disk, REPAIR, "/data", "--apply");
    expect(code, out).toBe(0);
    const one = (await openStore("/data", { disk })).namespaces.get("one");
    if (!one) throw new Error("no namespace");
    return { one, out };
}

test("a bit of the header of the only segment costs nothing, and nobody comes in who could not", async () => {
    const disk = await store("user");
    for (let bit = 0; bit < SEGMENT_HEADER_BYTES * 8; bit += 41) {
        const { one, out } = await repairedOne(flip(disk, LOG, bit));
        expect(
            ["a", "b", "c"].map((key) => readValue(one, key)),
            `bit ${bit}: ${out}`,
        ).toEqual(["a", "b", "c"]);
        expect(one.properties.public).toBe(false);
        expect(one.closedReason).toBeUndefined();
        await one.log.close();
    }
});

test("a header of zeros is made up from the records: no value is lost, no id comes again", async () => {
    for (const mode of ["user", "seq"] as const) {
        const disk = await store(mode);
        const next = (await openStore("/data", { disk: disk.copy() })).namespaces.get("one")?.nextId() ?? 0;
        const bytes = disk.contents(LOG);
        bytes.fill(0, 0, SEGMENT_HEADER_BYTES);
        disk.replace(LOG, bytes);
        const { one } = await repairedOne(disk);
        expect([one.entries, one.properties.mode, one.properties.public]).toEqual([3, mode, false]);
        expect(one.nextId()).toBeGreaterThanOrEqual(next);
    }
});
