import { beforeAll, describe, expect, test } from "vitest";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { drop, openStore, put } from "../../test/zdb/store.ts";
import { flip, runOn } from "../../test/zdb/tool-run.ts";
import { buildSidecar } from "./sidecar-building.ts";
import { Slices } from "./slices.ts";
import { CHECK } from "./tool-check.ts";

const LOG = "/data/one";
const INDEX = "/data/.index/one";
const FULL = ["/data", "--index", "/data/.index"];

/** A store that ended in order, with two closed segments that have sidecars, and a checkpoint. */
let disk: MemoryDisk;

beforeAll(async () => {
    disk = new MemoryDisk("/data");
    const { namespaces } = await openStore("/data", { disk, segmentBytes: 520, checkpointBytes: 1 });
    const one = await namespaces.create("one");
    await one.setProperty({ name: "password", text: "pw" });
    for (const key of ["a", "b", "c", "d"]) put(one, key, key.repeat(60));
    put(one, "b", "newer");
    drop(one, "c");
    const { segments, sidecars } = one;
    for (const segment of segments.closed) await buildSidecar(disk, segments, sidecars, segment, new Slices());
    expect(segments.closed).toHaveLength(1);
    await namespaces.close();
});

interface Report {
    sound: boolean;
    namespaces: { name: string; entries: number; liveBytes: number; damage: { file: string; why: string }[]; lost: { key: string }[] }[];
}

async function report(on: MemoryDisk): Promise<Report & { code: number }> {
    const { code, out } = await runOn(on, CHECK, ...FULL, "--json");
    return { ...(JSON.parse(out) as Report), code };
}

describe("zdb check", () => {
    test("says of a sound store what is in it", async () => {
        const { code, out, said } = await runOn(disk, CHECK, ...FULL);
        expect(said).toEqual([]);
        expect(out).toContain("namespace default: sound\n");
        expect(out).toMatch(/namespace one: sound\n {2}3 keys with 125 bytes, mode user; \d+ records in 2 segments/);
        expect(code).toBe(0);
        const { namespaces, sound } = await report(disk);
        expect(sound).toBe(true);
        expect(namespaces.find(({ name }) => name === "one")).toMatchObject({ entries: 3, liveBytes: 125, checkpoint: { state: "sound" } });
    });

    test("finds every bit that is another, in segments, sidecars and the checkpoint, and changes nothing", async () => {
        for (const file of [`${LOG}/d0`, `${LOG}/d1`, `${INDEX}/i0`, `${INDEX}/checkpoint`]) {
            const bits = disk.contents(file).length * 8;
            for (let bit = 0; bit < bits; bit += file.includes("/d") ? 31 : 211) {
                const broken = flip(disk, file, bit);
                const before = broken.copy();
                const { code, out } = await runOn(broken, CHECK, ...FULL);
                // A header of 128 bytes that names another log makes a sidecar one that is missing, and the last record of all a torn one.
                const isMended = /sidecar missing|unfinished write|checkpoint of the index is not used/.test(out);
                expect(code, `${file} bit ${bit}: ${out}`).toBe(isMended && code === 0 ? 0 : 1);
                expect(broken.contents(file)).toEqual(before.contents(file));
                expect(broken.openFiles).toBe(0);
            }
        }
    });

    test("names the key and the record of a damaged value", async () => {
        const at = disk.contents(`${LOG}/d0`).indexOf("aaaa") + 1;
        const { code, namespaces } = await report(flip(disk, `${LOG}/d0`, at * 8));
        expect(code).toBe(1);
        const one = namespaces.find(({ name }) => name === "one");
        expect(one).toMatchObject({ sound: false, entries: null, damage: [], uncertainProperties: [] });
        expect(one?.lost).toMatchObject([{ kind: "value", key: "a", keyEncoding: "utf8", lsn: 2, file: "d0", superseded: false }]);
        const { out } = await runOn(flip(disk, `${LOG}/d0`, at * 8), CHECK, "/data");
        expect(out).toContain(`lost: the value of "a", record 2 at d0 offset`);
    });

    test("a damaged head is no loss with the sidecar, and without it may have been anything", async () => {
        const head = disk.contents(`${LOG}/d0`).indexOf("aaaa") - 40;
        const broken = flip(disk, `${LOG}/d0`, (head + 8) * 8);
        const { out } = await runOn(broken, CHECK, ...FULL);
        expect(out).toContain("not lost: 1 record whose head is damaged; the sidecar has it");
        expect(out).not.toContain("  lost:");
        const { out: without } = await runOn(broken, CHECK, "/data");
        expect(without).toContain("lost: 1 record (2 to 2) of which nothing else is known");
        expect(without).toContain("not sure any more, because a change may be among what is lost: mode, password, public");
    });

    test("what a power loss may leave of writes that nobody was promised is no damage, when there was one", async () => {
        const lossy = new MemoryDisk("/data");
        const { namespaces } = await openStore("/data", { disk: lossy, durability: { kind: "none" } });
        const one = await namespaces.create("one");
        for (const key of ["a", "b", "c"]) put(one, key, key.repeat(60));
        const killed = lossy.copy();
        await namespaces.close();
        const bytes = killed.contents(`${LOG}/d0`);
        bytes.fill(0, bytes.indexOf("bbbb"), bytes.indexOf("bbbb") + 10);
        killed.replace(`${LOG}/d0`, bytes);
        expect((await runOn(killed, CHECK, "/data", "--namespace", "one")).code).toBe(1);
        killed.replace("/data/.boot", Buffer.from("another run of the kernel"));
        const { code, out } = await runOn(killed, CHECK, "/data", "--namespace", "one");
        expect([code, out]).toEqual([0, expect.stringContaining("bytes of an unfinished write at the end: the next start cuts them")]);
    });

    test("takes the directory of one namespace too, and says what it cannot do with others", async () => {
        expect(await runOn(disk, CHECK, "/data/one")).toMatchObject({ code: 0, said: [] });
        expect(await runOn(disk, CHECK, "/data", "--namespace", "one")).toMatchObject({ code: 0 });
        expect((await runOn(disk, CHECK, "/data", "--namespace", "two")).said).toEqual(["zdb tool: there is no namespace two in /data"]);
        expect((await runOn(disk, CHECK, "/nowhere")).said).toEqual(["zdb tool: cannot read the directory /nowhere (ENOENT)"]);
        expect(await runOn(disk, CHECK)).toMatchObject({ code: 2 });
        expect((await runOn(disk, CHECK, "/data", "--bogus")).said[0]).toContain("Unknown option '--bogus'");
        expect(await runOn(disk, CHECK, "--help")).toMatchObject({ code: 0, out: CHECK.help });
    });
});
