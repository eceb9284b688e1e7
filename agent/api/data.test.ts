import { describe, expect, it } from "vitest";
import { ZeroformError } from "../../protocol/errors.ts";
import { Bench, madeWithData } from "../../test/agent/fakes/bench.ts";

const DAY_MS = 86_400_000;

describe("a removal", () => {
    it("is refused while something stands on it, naming that", async () => {
        await using bench = new Bench();
        const { session, disk } = await madeWithData(bench);
        await expect(session.remove(disk.life)).rejects.toMatchObject({ code: "IN_USE", message: 'ZMount "disk" is in use by Zdb "db"' });
    });

    it("puts the data in the trash until their time is over", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await madeWithData(bench);
        await session.remove(db.life, { trashMs: DAY_MS });
        await session.remove(disk.life, { trashMs: 2 * DAY_MS });
        expect(await session.ask("trash.list", {})).toMatchObject([
            { life: db.life, name: "db", bytes: 1, removedAt: bench.clock.now(), purgeAt: bench.clock.now() + DAY_MS },
            { life: disk.life, name: "disk" },
        ]);
        expect(await session.read(db.life)).toEqual({ found: false });
        await bench.clock.leap(DAY_MS - 1);
        expect(bench.store.trash.all()).toHaveLength(2);
        await bench.clock.leap(DAY_MS + 1);
        expect(bench.node.trash.has(`/trash/${disk.life}`)).toBe(false);
        expect(await session.ask("trash.list", {})).toEqual([]);
    });

    it("purges at once when there is no time for the trash", async () => {
        await using bench = new Bench();
        const { session, db } = await madeWithData(bench);
        await session.remove(db.life, { trashMs: 0 });
        expect(bench.node.trash.size).toBe(0);
        expect(bench.store.trash.all()).toEqual([]);
        expect(bench.store.events.latest(2).map(({ what }) => what)).toEqual(["purged", "removed"]);
    });

    it("that keeps leaves data and a row that says whose they are", async () => {
        await using bench = new Bench();
        const { session, db } = await madeWithData(bench);
        await session.remove(db.life, { onRemove: "keep" });
        expect(bench.node.data(db.life)).toBe("keys");
        expect(await session.read(db.life)).toEqual({ found: false });
        expect((await session.ask("status", {})).resources.find(({ life }) => life === db.life)?.state).toBe("kept");
    });

    it("of what is absent is a success", async () => {
        await using bench = new Bench();
        const { session, db } = await madeWithData(bench);
        await session.remove(db.life);
        expect(await session.remove(db.life)).toEqual({});
    });

    it("that takes too long says so and goes on", async () => {
        await using bench = new Bench();
        const { session, db } = await madeWithData(bench);
        bench.node.fail("db", new ZeroformError({ code: "FAILED", message: "still busy", retryable: true }), 4);
        const removal = session.remove(db.life, { waitMs: 1_000 });
        removal.catch(() => undefined);
        await bench.clock.advance(1_000);
        await expect(removal).rejects.toMatchObject({ code: "TIMEOUT", message: 'Zdb "db" is still being removed: still busy' });
        const again = session.remove(db.life);
        await bench.clock.advance(10_000);
        await again;
        expect(bench.node.pieces.has(db.life)).toBe(false);
    });

    it("that fails for good is answered in the agent's own words", async () => {
        await using bench = new Bench();
        const { session, db } = await madeWithData(bench);
        bench.node.fail("db", new ZeroformError({ code: "IN_USE", message: "postgres (pid 71) uses it" }), 1);
        await expect(session.remove(db.life)).rejects.toMatchObject({
            code: "IN_USE",
            message: "postgres (pid 71) uses it",
            resource: "db",
        });
        await bench.clock.advance(1_000);
        expect(bench.node.pieces.has(db.life)).toBe(false);
    });
});

describe("trash", () => {
    it("that cannot be purged keeps no other, and is tried again", async () => {
        await using bench = new Bench();
        const { session, db } = await madeWithData(bench);
        const other = await session.create("Zdb", "other");
        await session.remove(db.life, { trashMs: 1_000 });
        await session.remove(other.life, { trashMs: 1_000 });
        bench.node.fail("db", new ZeroformError({ code: "FAILED", message: "no" }), 1);
        await bench.clock.advance(20_000);
        expect(bench.store.trash.all().map(({ life }) => life)).toEqual([db.life]);
        await bench.clock.advance(11 * 60_000);
        expect(bench.store.trash.all()).toEqual([]);
    });

    it("that lies on trash goes with it", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await madeWithData(bench);
        await session.remove(db.life, { trashMs: 1_000 });
        await session.remove(disk.life, { trashMs: 60_000 });
        await bench.clock.advance(30_000);
        expect(bench.store.trash.all()).toHaveLength(2);
        await bench.clock.advance(60_000);
        expect(bench.store.trash.all()).toEqual([]);
    });

    it("is let go of when a driver needs the room", async () => {
        await using bench = new Bench();
        const { session, db } = await madeWithData(bench);
        await session.remove(db.life);
        const { drivers } = bench.node;
        const admit = drivers.ZMount.admit.bind(drivers.ZMount);
        drivers.ZMount.admit = async (wanted, old, context) => {
            for (const each of context.trash("Zdb")) await context.purgeNow(each);
            return admit(wanted, old, context);
        };
        await session.create("ZMount", "large");
        expect(bench.store.trash.all()).toEqual([]);
        expect(bench.store.events.latest(9).map(({ detail }) => detail)).toContain("Zdb: its room was needed");
    });
});
