import { copyFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Bench } from "../../test/agent/fakes/bench.ts";

const KEPT = "what the user wrote";

/** A disk, and then a store on it whose record the agent loses: the store was put back from a copy made before. */
const forgotten = async (bench: Bench) => {
    const session = bench.session();
    await session.nodeOf();
    const disk = await session.create("ZMount", "disk");
    const copy = `${bench.directory}/copy.db`;
    await bench.agent.stop();
    copyFileSync(bench.places.storeFile, copy);
    await bench.restart();
    const mount = session.idOf(disk);
    const again = bench.session();
    Object.assign(again, { tenant: session.tenant, machine: session.machine });
    const db = await again.create("Zdb", "db", { spec: { mount } });
    bench.node.write(db.life, KEPT);
    await bench.agent.stop();
    copyFileSync(copy, bench.places.storeFile);
    await bench.restart();
    const next = bench.session();
    Object.assign(next, { tenant: session.tenant, machine: session.machine });
    return { session: next, db, mount };
};

describe("data that the agent has no record of", () => {
    it("are never absent: a read says so, and the update that follows takes them over", async () => {
        await using bench = new Bench();
        const { session, db, mount } = await forgotten(bench);
        const read = await session.read(db.life);
        expect(read).toMatchObject({ found: true, state: "unfinished", reasons: [expect.stringContaining("has no record of it")] });
        expect(await session.update(db.life, "Zdb", "db", { mount, password: "known-to-the-stack", port: 9900 })).toMatchObject({
            life: db.life,
            state: "ready",
        });
        expect(bench.node.data(db.life)).toBe(KEPT);
        expect(await session.read(db.life)).toMatchObject({ found: true, state: "ready" });
        expect(bench.store.lives.get(db.life)).toMatchObject({ kind: "Zdb", made: true, confirmed: true });
    });

    it("are not removed in silence", async () => {
        await using bench = new Bench();
        const { session, db } = await forgotten(bench);
        await expect(session.remove(db.life)).rejects.toMatchObject({ code: "NOT_READY", hint: expect.stringContaining("pulumi up") });
        expect(bench.node.data(db.life)).toBe(KEPT);
    });

    it("and that are not there either are absent", async () => {
        await using bench = new Bench();
        const { session, db } = await forgotten(bench);
        bench.node.pieces.delete(db.life);
        expect(await session.read(db.life)).toEqual({ found: false });
        await session.remove(db.life);
    });
});
