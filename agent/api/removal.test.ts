import { describe, expect, it } from "vitest";
import { ZeroformError } from "../../protocol/errors.ts";
import { Bench } from "../../test/agent/fakes/bench.ts";

const made = async (bench: Bench) => {
    const session = bench.session();
    await session.nodeOf();
    const disk = await session.create("ZMount", "disk");
    const db = await session.create("Zdb", "db", { spec: { mount: session.idOf(disk) } });
    return { session, disk, db };
};

const away = new ZeroformError({ code: "NOT_READY", message: "its ZMount is not mounted", retryable: true });

describe("what a resource was made with and is gone from the machine", () => {
    it("is installed again to take it apart", async () => {
        await using bench = new Bench();
        const session = bench.session();
        await session.nodeOf();
        const disk = await session.create("ZMount", "disk");
        bench.node.missing = { e2fsprogs: "chattr" };
        const { ZMount } = bench.node.drivers;
        const remove = ZMount.remove.bind(ZMount);
        ZMount.remove = async (...args) => {
            if (!bench.node.installed.has("e2fsprogs")) throw new Error("chattr failed: it is not installed");
            return remove(...args);
        };
        await session.remove(disk.life);
        expect(bench.node.installed).toContain("e2fsprogs");
        expect(bench.node.pieces.has(disk.life)).toBe(false);
    });
});

describe("the removal of a Node", () => {
    it("ends in a sentence that names what it waits for", async () => {
        await using bench = new Bench();
        const { session, db } = await made(bench);
        bench.node.fail("db", away);
        session.remove(db.life).catch(() => undefined);
        await bench.clock.advance(1_000);
        const removal = session.ask("node.delete", { caller: session.caller, trashMs: 0 });
        removal.catch(() => undefined);
        await bench.clock.advance(2 * 60_000);
        await expect(removal).rejects.toMatchObject({
            code: "TIMEOUT",
            message: 'Zdb "db" is still being removed: its ZMount is not mounted',
        });
    });

    it("does not wait for ever for another operation on the same Node", async () => {
        await using bench = new Bench();
        const { session } = await made(bench);
        const { urn } = bench.store.tenants.all()[0] ?? { urn: "" };
        const held = Promise.withResolvers<void>();
        void bench.agent.core.lock.run(urn, () => held.promise);
        const removal = session.ask("node.delete", { caller: session.caller, trashMs: 0 });
        removal.catch(() => undefined);
        await bench.clock.advance(2 * 60_000);
        await expect(removal).rejects.toMatchObject({ code: "BUSY", retryable: true, message: expect.stringContaining('Node "alpha"') });
        held.resolve();
        await bench.clock.advance(1_000);
        expect(bench.store.tenants.all()[0]?.deleted).toBe(false);
    });
});

describe("a removal that waits for what stands on it", () => {
    it("lets that try again at once when its own ground is to go too", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await made(bench);
        bench.node.fail("db", away);
        session.remove(db.life).catch(() => undefined);
        await bench.clock.advance(50_000);
        bench.node.failures.clear();
        await session.remove(disk.life);
        expect(bench.store.lives.all()).toEqual([]);
    });

    it("takes kept data with it when the ground of them is gone", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await made(bench);
        await session.remove(db.life, { onRemove: "keep" });
        bench.node.pieces.delete(disk.life);
        expect(await session.read(disk.life)).toEqual({ found: false });
        expect(bench.store.lives.all()).toEqual([]);
        expect(await session.ask("node.delete", { caller: session.caller, trashMs: 0 })).toEqual({ kept: [], agent: "removed" });
    });
});

describe("kept data", () => {
    it("hold what they lie on until they are removed; they go to the trash and can be restored", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await made(bench);
        bench.node.write(db.life, "keys");
        await session.remove(db.life, { onRemove: "keep" });
        await expect(session.remove(disk.life)).rejects.toMatchObject({
            message: 'ZMount "disk" is in use by the kept data of Zdb "db"',
            hint: expect.stringContaining(`zeroform remove ${db.life}`),
        });
        expect(await session.remove(db.life)).toEqual({});
        expect(bench.store.lives.get(db.life)).toBeUndefined();
        const fresh = await session.create("Zdb", "db", { spec: { mount: session.idOf(disk) } });
        await session.ask("trash.restore", { life: db.life });
        expect(bench.node.data(fresh.life)).toBe("keys");
        await session.remove(fresh.life);
        expect(await session.remove(disk.life)).toEqual({});
    });

    it("stay when they are to be kept once more", async () => {
        await using bench = new Bench();
        const { session, db } = await made(bench);
        await session.remove(db.life, { onRemove: "keep" });
        await session.remove(db.life, { onRemove: "keep" });
        expect(bench.store.lives.get(db.life)?.desired).toBe("kept");
    });

    it("of a Node that is gone can be removed, and the agent goes with the last of them", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await made(bench);
        await session.remove(db.life, { onRemove: "keep" });
        const later = session.next();
        later.seen = [disk.life];
        await later.read(disk.life);
        expect(await later.ask("node.delete", { caller: later.caller, trashMs: 0 })).toMatchObject({
            kept: [{ life: disk.life }, { life: db.life }],
            agent: "stays",
        });
        // Killed: its session never ends in order.
        later.drop();
        await bench.clock.advance(60_000);
        const byHand = session.next();
        await byHand.remove(db.life, { trashMs: 0 });
        expect(bench.left).toBe(0);
        await byHand.remove(disk.life, { trashMs: 0 });
        expect(bench.store.tenants.all()).toEqual([]);
        expect(bench.left).toBeGreaterThan(0);
    });
});
