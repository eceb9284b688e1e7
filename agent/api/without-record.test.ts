import { copyFileSync, rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Bench, urnOf } from "../../test/agent/fakes/bench.ts";

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

/** A Node with a disk on it, and a store that was copied before they came. */
const unheardOf = async (bench: Bench) => {
    const copy = `${bench.directory}/copy.db`;
    await bench.agent.stop();
    copyFileSync(bench.places.storeFile, copy);
    await bench.restart();
    const session = bench.session();
    await session.nodeOf();
    const disk = await session.create("ZMount", "disk");
    bench.node.write(disk.life, KEPT);
    await bench.agent.stop();
    for (const suffix of ["-wal", "-shm"]) rmSync(bench.places.storeFile + suffix, { force: true });
    copyFileSync(copy, bench.places.storeFile);
    await bench.restart();
    const next = bench.session();
    Object.assign(next, { tenant: session.tenant, machine: session.machine });
    return { session: next, disk };
};

describe("a Node that the agent has no record of", () => {
    it("is never absent: a read says so, and the update that follows takes it over with what is on it", async () => {
        await using bench = new Bench();
        const { session, disk } = await unheardOf(bench);
        const reasons = [expect.stringMatching(/no record of this Node.*the next `pulumi up` takes it over/)];
        expect(await session.ask("node.read", { caller: session.caller })).toMatchObject({ found: true, tenant: session.tenant, reasons });
        expect(await session.read(disk.life)).toMatchObject({ found: true, state: "unfinished" });
        const told = {
            code: "TENANT_UNKNOWN",
            message: expect.stringContaining("no record of it"),
            hint: expect.stringContaining("pulumi refresh"),
        };
        await expect(session.create("ZMount", "other")).rejects.toMatchObject(told);

        await session.ask("node.update", { caller: session.caller, urn: urnOf("Node", "alpha"), settings: { installPackages: true } });
        expect(await session.update(disk.life, "ZMount", "disk", {})).toMatchObject({ life: disk.life, state: "ready" });
        expect(bench.node.data(disk.life)).toBe(KEPT);
        const read = await session.ask("node.read", { caller: session.caller });
        expect(read).toMatchObject({ found: true });
        expect(read).not.toHaveProperty("reasons");
        expect(bench.store.tenants.all()).toMatchObject([{ tenant: session.tenant, name: "alpha", confirmed: true, deleted: false }]);
        expect(await session.create("ZMount", "other")).toMatchObject({ state: "ready" });
    });

    it("is absent when it was removed, also after others were, and is not brought back", async () => {
        await using bench = new Bench();
        const session = bench.session();
        await session.nodeOf();
        await session.ask("node.delete", { caller: session.caller, trashMs: 0 });
        expect(await session.ask("node.read", { caller: session.caller })).toEqual({ found: false });
        const update = { caller: session.caller, urn: urnOf("Node", "alpha"), settings: { installPackages: true } };
        await expect(session.ask("node.update", update)).rejects.toMatchObject({
            code: "TENANT_UNKNOWN",
            message: expect.stringContaining("was removed"),
        });
        await bench.restart();
        expect(await session.next().ask("node.read", { caller: session.caller })).toEqual({ found: false });
    });

    it("can be removed all the same", async () => {
        await using bench = new Bench();
        const { session } = await unheardOf(bench);
        expect(await session.ask("node.delete", { caller: session.caller, trashMs: 0 })).toMatchObject({ kept: [] });
    });
});

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
