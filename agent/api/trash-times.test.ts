import { describe, expect, it } from "vitest";
import { Bench, madeWithData } from "../../test/agent/fakes/bench.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A Zdb whose data wait a day in the trash. */
const removed = async (bench: Bench) => {
    const made = await madeWithData(bench);
    await made.session.remove(made.db.life, { trashMs: DAY_MS });
    return made;
};
const isThere = (bench: Bench) => bench.store.trash.all().length === 1;
const leftMs = async (bench: Bench) => {
    const [piece] = await bench.observer().ask("trash.list", {});
    return (piece?.purgeAt ?? 0) - bench.clock.now();
};

describe("data in the trash", () => {
    it.each([10 * DAY_MS, -10 * DAY_MS])("stay their time when the clock is set by %i ms", async (jump) => {
        await using bench = new Bench();
        await removed(bench);
        await bench.clock.leap(HOUR_MS);
        bench.clock.set(jump);
        await bench.clock.advance(60_000);
        expect(isThere(bench)).toBe(true);
        expect(await leftMs(bench)).toBe(23 * HOUR_MS - 60_000);
        await bench.clock.leap(23 * HOUR_MS - 120_000);
        expect(isThere(bench)).toBe(true);
        await bench.clock.leap(120_000);
        expect(isThere(bench)).toBe(false);
    });

    it("age while the agent is away, as long as the machine runs", async () => {
        await using bench = new Bench();
        await removed(bench);
        await bench.restart(() => bench.clock.leap(23 * HOUR_MS));
        expect(await leftMs(bench)).toBe(HOUR_MS);
        await bench.restart(() => bench.clock.leap(2 * HOUR_MS));
        await bench.clock.advance(15_000);
        expect(isThere(bench)).toBe(false);
    });

    it("do not age while the machine is off, whatever its clock says afterwards", async () => {
        await using bench = new Bench();
        await removed(bench);
        await bench.clock.leap(20 * HOUR_MS);
        await bench.restart(() => bench.clock.reboot(30 * DAY_MS));
        await bench.clock.advance(60_000);
        expect(await leftMs(bench)).toBe(4 * HOUR_MS - 60_000);
        await bench.restart(() => bench.clock.reboot(-30 * DAY_MS));
        await bench.clock.advance(60_000);
        expect(await leftMs(bench)).toBe(4 * HOUR_MS - 120_000);
        await bench.clock.leap(4 * HOUR_MS);
        expect(isThere(bench)).toBe(false);
    });

    it("lose a few minutes of their age at most by a power cut, and none while nothing lies there", async () => {
        await using before = new Bench();
        const { session, disk } = await removed(before);
        for (let minute = 0; minute < 6 * 60; minute++) await before.clock.advance(60_000);
        await using after = new Bench(before);
        const left = await leftMs(after);
        expect(left).toBeGreaterThanOrEqual(18 * HOUR_MS);
        expect(left).toBeLessThanOrEqual(18 * HOUR_MS + 11 * 60_000);

        await session.ask("trash.purge", { lives: before.store.trash.all().map(({ life }) => life) });
        await session.read(disk.life);
        let commits = 0;
        before.store.onCommit(() => commits++);
        for (let minute = 0; minute < 60; minute++) await before.clock.advance(60_000);
        expect(commits).toBe(0);
    });
});
