import { describe, expect, it } from "vitest";
import { ZeroformError } from "../../protocol/errors.ts";
import { Bench } from "../../test/agent/fakes/bench.ts";

const DAY_MS = 86_400_000;

const made = async (bench: Bench) => {
    const session = bench.session();
    await session.nodeOf();
    const disk = await session.create("ZMount", "disk");
    const db = await session.create("Zdb", "db", { spec: { mount: session.idOf(disk) } });
    bench.node.write(disk.life, "files");
    bench.node.write(db.life, "keys");
    return { session, disk, db };
};

describe("a removal", () => {
    it("is refused while something stands on it, naming that", async () => {
        await using bench = new Bench();
        const { session, disk } = await made(bench);
        await expect(session.remove(disk.life)).rejects.toMatchObject({ code: "IN_USE", message: 'ZMount "disk" is in use by Zdb "db"' });
    });

    it("puts the data in the trash until their time is over", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await made(bench);
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
        const { session, db } = await made(bench);
        await session.remove(db.life, { trashMs: 0 });
        expect(bench.node.trash.size).toBe(0);
        expect(bench.store.trash.all()).toEqual([]);
        expect(bench.store.events.latest(2).map(({ what }) => what)).toEqual(["purged", "removed"]);
    });

    it("that keeps leaves data and a row that says whose they are", async () => {
        await using bench = new Bench();
        const { session, db } = await made(bench);
        await session.remove(db.life, { onRemove: "keep" });
        expect(bench.node.data(db.life)).toBe("keys");
        expect(await session.read(db.life)).toEqual({ found: false });
        expect((await session.ask("status", {})).resources.find(({ life }) => life === db.life)?.state).toBe("kept");
    });

    it("of what is absent is a success", async () => {
        await using bench = new Bench();
        const { session, db } = await made(bench);
        await session.remove(db.life);
        expect(await session.remove(db.life)).toEqual({});
    });

    it("that takes too long says so and goes on", async () => {
        await using bench = new Bench();
        const { session, db } = await made(bench);
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
        const { session, db } = await made(bench);
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
        const { session, db } = await made(bench);
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
        const { session, disk, db } = await made(bench);
        await session.remove(db.life, { trashMs: 1_000 });
        await session.remove(disk.life, { trashMs: 60_000 });
        await bench.clock.advance(30_000);
        expect(bench.store.trash.all()).toHaveLength(2);
        await bench.clock.advance(60_000);
        expect(bench.store.trash.all()).toEqual([]);
    });

    it("is let go of when a driver needs the room", async () => {
        await using bench = new Bench();
        const { session, db } = await made(bench);
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

describe("data that are gone", () => {
    it("are not made again behind their owner's back: read finds nothing, and the next create makes them anew", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await made(bench);
        bench.node.pieces.delete(disk.life);
        await bench.clock.advance(15_000);
        const status = await session.ask("status", {});
        expect(status.resources.map(({ state }) => state)).toEqual(["unfinished", "unfinished"]);
        expect(status.resources[0]?.reasons.join()).toContain("gone from the node");
        expect(status.events.map(({ what }) => what)).toContain("lost");
        expect(bench.node.pieces.has(disk.life)).toBe(false);

        expect(await session.read(db.life)).toEqual({ found: false });
        expect(await session.read(disk.life)).toEqual({ found: false });
        expect(bench.store.lives.all()).toEqual([]);
        const again = await session.create("ZMount", "disk");
        expect(again.state).toBe("ready");
    });

    it("are found gone by a read alone, with what stood on them", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await made(bench);
        bench.node.pieces.delete(disk.life);
        expect(await session.read(disk.life)).toEqual({ found: false });
        expect(await session.read(db.life)).toEqual({ found: false });
    });

    it("are never judged by a look that failed", async () => {
        await using bench = new Bench();
        const { session, disk } = await made(bench);
        bench.node.blind.set("ZMount", "Input/output error");
        await bench.clock.advance(15_000);
        expect(await session.read(disk.life)).toMatchObject({
            found: true,
            state: "unfinished",
            reasons: ["it cannot be looked at: Input/output error"],
        });
        bench.node.blind.clear();
        expect(await session.read(disk.life)).toMatchObject({ found: true, state: "ready" });
    });

    it("are not gone when a second look finds them", async () => {
        await using bench = new Bench();
        const { disk } = await made(bench);
        const piece = bench.node.pieces.get(disk.life);
        bench.node.pieces.delete(disk.life);
        const { drivers } = bench.node;
        const gather = drivers.ZMount.gather.bind(drivers.ZMount);
        let looks = 0;
        drivers.ZMount.gather = async (os, resources) => {
            const facts = await gather(os, resources);
            looks++;
            if (looks === 1 && piece) bench.node.pieces.set(disk.life, piece);
            return facts;
        };
        await bench.clock.advance(20_000);
        expect(bench.store.lives.get(disk.life)?.state).toBe("ready");
        expect(bench.node.data(disk.life)).toBe("files");
    });

    it("that come back by themselves are taken up again", async () => {
        await using bench = new Bench();
        const { session, disk } = await made(bench);
        const piece = bench.node.pieces.get(disk.life);
        bench.node.pieces.delete(disk.life);
        await bench.clock.advance(15_000);
        if (piece) bench.node.pieces.set(disk.life, piece);
        await bench.clock.advance(15_000);
        expect(await session.read(disk.life)).toMatchObject({ found: true, state: "ready" });
    });

    it("are not made again by an agent that has just started, nor by an update", async () => {
        await using bench = new Bench();
        const { session, disk } = await made(bench);
        bench.node.fail("disk", new ZeroformError({ code: "FAILED", message: "no" }));
        await session.update(disk.life, "ZMount", "disk", { size: "40MiB" });
        bench.node.pieces.delete(disk.life);
        bench.node.failures.clear();
        await bench.restart();
        await bench.clock.advance(30_000);
        expect(bench.node.pieces.has(disk.life)).toBe(false);
        const next = session.next();
        await expect(next.update(disk.life, "ZMount", "disk", { size: "50MiB" })).rejects.toMatchObject({ code: "LIFE_UNKNOWN" });
    });
});
