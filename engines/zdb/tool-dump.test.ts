import { expect, test } from "vitest";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { drop, openStore, put } from "../../test/zdb/store.ts";
import { flip, runOn } from "../../test/zdb/tool-run.ts";
import { buildSidecar } from "./sidecar-building.ts";
import { Slices } from "./slices.ts";
import { DUMP } from "./tool-dump.ts";

const parsed = (out: string): Record<string, unknown>[] => {
    return out
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
};

async function store(): Promise<MemoryDisk> {
    const disk = new MemoryDisk("/data");
    const { namespaces, standard } = await openStore("/data", { disk, segmentBytes: 300 });
    put(standard, "x", "in default", 5);
    const one = await namespaces.create("one");
    await one.setProperty({ name: "password", text: "hidden" });
    put(one, "a", "first", 10);
    put(one, "b", "\xff\x00", 11);
    put(one, "a", "second", 12);
    put(one, "gone", "g", 13);
    drop(one, "gone", 14);
    one.set(Buffer.from([0xfe, 1]), Buffer.from("gr\u00fc\u00dfe", "utf8"), 15);
    one.log.write();
    for (const segment of one.segments.closed) await buildSidecar(disk, one.segments, one.sidecars, segment, new Slices());
    await namespaces.close();
    return disk;
}

test("writes what is live, in order, with its encodings; with or without an index", async () => {
    const disk = await store();
    const before = disk.copy();
    for (const argv of [[], ["--index", "/data/.index"]]) {
        const { code, out, said } = await runOn(disk, DUMP, "/data", "one", ...argv);
        expect([code, said]).toEqual([0, []]);
        expect(parsed(out)).toMatchObject([
            { namespace: "one", mode: "user", lsn: 3, ts: 11, key: "b", keyEncoding: "utf8", value: "/wA=", valueEncoding: "base64" },
            { lsn: 4, ts: 12, key: "a", value: "second", valueEncoding: "utf8" },
            { lsn: 7, ts: 15, key: "/gE=", keyEncoding: "base64", value: "gr\u00fc\u00dfe", valueEncoding: "utf8" },
        ]);
        expect(out).not.toContain("hidden");
    }
    expect(parsed((await runOn(disk, DUMP, "/data")).out).map(({ namespace }) => namespace)).toEqual(["default", "one", "one", "one"]);
    expect(disk.contents("/data/one/d0")).toEqual(before.contents("/data/one/d0"));
    expect(disk.openFiles).toBe(0);
});

test("with history every version and deletion that the log has", async () => {
    const { out } = await runOn(await store(), DUMP, "/data/one", "--history");
    expect(parsed(out).map(({ lsn, key, live, deleted, value }) => [lsn, key, live, deleted, value])).toEqual([
        [2, "a", false, false, "first"],
        [3, "b", true, false, "/wA="],
        [4, "a", true, false, "second"],
        [5, "gone", false, false, "g"],
        [6, "gone", false, true, undefined],
        [7, "/gE=", true, false, "gr\u00fc\u00dfe"],
    ]);
});

test("a damaged value is null and said; the rest is written", async () => {
    const disk = await store();
    const file = disk.list("/data/one").find((name) => disk.contents(`/data/one/${name}`).includes("second")) ?? "";
    const broken = flip(disk, `/data/one/${file}`, disk.contents(`/data/one/${file}`).indexOf("second") * 8);
    const { code, out, said } = await runOn(broken, DUMP, "/data", "one");
    expect(code).toBe(1);
    expect(said).toEqual(["namespace one: the value of record 4 is damaged"]);
    expect(parsed(out).map(({ value }) => value)).toEqual(["/wA=", null, "gr\u00fc\u00dfe"]);
    expect(await runOn(disk, DUMP)).toMatchObject({ code: 2 });
});
