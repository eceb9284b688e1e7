import { describe, expect, it } from "vitest";
import { Bench, madeWithData } from "../../test/agent/fakes/bench.ts";

const YEAR_MS = 365 * 86_400_000;

/** A Zdb and the ZMount that it lies on, both removed with their data kept. */
const bothKept = async (bench: Bench) => {
    const made = await madeWithData(bench);
    await made.session.remove(made.db.life, { onRemove: "keep" });
    await made.session.remove(made.disk.life, { onRemove: "keep" });
    return made;
};

describe("kept data", () => {
    it("are put into a resource of the same name, which is a new life", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await madeWithData(bench);
        await session.remove(db.life, { onRemove: "keep" });
        const fresh = await session.create("Zdb", "db", { spec: { mount: session.idOf(disk) } });
        expect(fresh.life).not.toBe(db.life);
        bench.node.write(fresh.life, "newer");
        expect(await session.ask("trash.restore", { life: db.life })).toMatchObject({ into: { life: fresh.life } });
        expect(bench.node.data(fresh.life)).toBe("keys");
        expect(bench.store.lives.get(db.life)).toBeUndefined();
        expect(bench.store.trash.all()).toMatchObject([{ name: "db" }]);
    });

    it("stay kept when there is nothing to put them into", async () => {
        await using bench = new Bench();
        const { session, db } = await madeWithData(bench);
        await session.remove(db.life, { onRemove: "keep" });
        await expect(session.ask("trash.restore", { life: db.life })).rejects.toMatchObject({ code: "LIFE_UNKNOWN" });
        expect(bench.store.lives.get(db.life)?.desired).toBe("kept");
    });

    it("may lie on a mount that is kept, and come back after it", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await bothKept(bench);
        const outOfReach = { code: "IN_USE", message: expect.stringContaining(disk.life) };
        await expect(session.remove(db.life)).rejects.toMatchObject(outOfReach);
        const mount = await session.create("ZMount", "disk");
        const fresh = await session.create("Zdb", "db", { spec: { mount: session.idOf(mount) } });
        await expect(session.ask("trash.restore", { life: db.life })).rejects.toMatchObject(outOfReach);
        expect(bench.node.data(fresh.life)).toBe("");
        await session.ask("trash.restore", { life: disk.life });
        expect(bench.node.data(mount.life)).toBe("files");
        // Where they were left, and not where removal would have put them; nobody purges them but by hand.
        expect(bench.store.trash.get(db.life)).toMatchObject({ place: `/kept/${db.life}`, uses: { mount: mount.life } });
        expect(bench.store.trash.get(db.life)?.keepMs).toBeGreaterThan(50 * YEAR_MS);
    });

    it("go with the mount that they lie on", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await bothKept(bench);
        await session.remove(disk.life, { trashMs: 1_000 });
        expect(bench.store.lives.get(db.life)?.desired).toBe("kept");
        await bench.clock.advance(60_000);
        expect(bench.store.lives.all()).toEqual([]);
        expect(bench.store.trash.all()).toEqual([]);
    });
});

describe("a purge by hand", () => {
    it("deletes what is named and nothing else, and says what is free again", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await madeWithData(bench);
        const other = await session.create("Zdb", "other");
        bench.node.write(other.life, "others");
        for (const each of [db, other]) await session.remove(each.life);
        const purged = await session.ask("trash.purge", { lives: [db.life, disk.life] });
        expect(purged.pieces).toMatchObject([{ life: db.life, name: "db", bytes: 1 }]);
        expect(purged.pieces[0]).not.toHaveProperty("failure");
        expect(bench.store.trash.all().map(({ life }) => life)).toEqual([other.life]);
    });

    it("takes with a mount what lies on it", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await madeWithData(bench);
        for (const each of [db, disk]) await session.remove(each.life);
        const { pieces } = await session.ask("trash.purge", { lives: [db.life, disk.life] });
        expect(pieces.map(({ life, bytes, failure }) => [life, bytes, failure])).toEqual([
            [disk.life, 1, undefined],
            [db.life, 0, undefined],
        ]);
        expect(bench.store.trash.all()).toEqual([]);
    });

    it("says what cannot be reached, and deletes the rest", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await madeWithData(bench);
        const other = await session.create("Zdb", "other");
        bench.node.write(other.life, "others");
        for (const each of [db, other, disk]) await session.remove(each.life);
        const { pieces } = await session.ask("trash.purge", { lives: [db.life, other.life] });
        expect(pieces).toMatchObject([
            { life: db.life, bytes: 0, failure: { code: "NOT_READY", message: expect.stringContaining('ZMount "disk"') } },
            { life: other.life, bytes: 1 },
        ]);
        expect(bench.store.trash.all().map(({ life }) => life)).toEqual([db.life, disk.life]);
    });
});
