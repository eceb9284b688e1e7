import { describe, expect, it } from "vitest";
import { ZeroformError } from "../../protocol/errors.ts";
import { Bench, madeWithData } from "../../test/agent/fakes/bench.ts";

describe("data that are gone", () => {
    it("are not made again behind their owner's back: read finds nothing, and the next create makes them anew", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await madeWithData(bench);
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
        const { session, disk, db } = await madeWithData(bench);
        bench.node.pieces.delete(disk.life);
        expect(await session.read(disk.life)).toEqual({ found: false });
        expect(await session.read(db.life)).toEqual({ found: false });
    });

    it("are never judged by a look that failed", async () => {
        await using bench = new Bench();
        const { session, disk } = await madeWithData(bench);
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
        const { disk } = await madeWithData(bench);
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
        const { session, disk } = await madeWithData(bench);
        const piece = bench.node.pieces.get(disk.life);
        bench.node.pieces.delete(disk.life);
        await bench.clock.advance(15_000);
        if (piece) bench.node.pieces.set(disk.life, piece);
        await bench.clock.advance(15_000);
        expect(await session.read(disk.life)).toMatchObject({ found: true, state: "ready" });
    });

    it("are not made again by an agent that has just started, nor by an update", async () => {
        await using bench = new Bench();
        const { session, disk } = await madeWithData(bench);
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
