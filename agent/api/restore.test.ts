import { describe, expect, it } from "vitest";
import { ZeroformError } from "../../protocol/errors.ts";
import { Bench, madeWithData, urnOf } from "../../test/agent/fakes/bench.ts";
import { settle } from "../../test/agent/fakes/manual-clock.ts";

const away = new ZeroformError({ code: "NOT_READY", message: "its ZMount is not mounted", retryable: true });

describe("a restore", () => {
    it("exchanges the data of the live resource of the same name with those in the trash", async () => {
        await using bench = new Bench();
        const { session, disk } = await madeWithData(bench);
        const old = await session.create("Zdb", "other");
        bench.node.write(old.life, "precious");
        await session.remove(old.life);
        const fresh = await session.create("Zdb", "other", { spec: { mount: session.idOf(disk) } });
        bench.node.write(fresh.life, "fresh");
        expect(await session.ask("trash.restore", { life: old.life })).toEqual({
            into: { life: fresh.life, kind: "Zdb", urn: urnOf("Zdb", "other") },
        });
        expect(bench.node.data(fresh.life)).toBe("precious");
        const [own] = await session.ask("trash.list", {});
        expect(own).toMatchObject({ name: "other", bytes: 1 });
        await session.ask("trash.restore", { life: own?.life ?? old.life });
        expect(bench.node.data(fresh.life)).toBe("fresh");
    });

    it("makes again, in order, what stood on the data that went away", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await madeWithData(bench);
        await session.remove(db.life);
        await session.remove(disk.life);
        const newDisk = await session.create("ZMount", "disk");
        const newDb = await session.create("Zdb", "db", { spec: { mount: session.idOf(newDisk) } });
        bench.node.did.length = 0;
        await session.ask("trash.restore", { life: disk.life });
        await settle();
        expect(bench.node.data(newDisk.life)).toBe("files");
        expect(bench.node.did).toEqual(["restore disk", "apply disk", "apply db"]);
        expect(bench.store.lives.get(newDb.life)?.state).toBe("ready");
        expect(bench.store.trash.get(db.life)?.uses).toEqual({ mount: newDisk.life });
    });

    it("one at a time, and only to what is of the same kind; says what to do otherwise", async () => {
        await using bench = new Bench();
        const { session, disk } = await madeWithData(bench);
        const old = await session.create("Zdb", "other");
        await session.remove(old.life);
        await session.create("Zdb", "other");
        await expect(session.ask("trash.restore", { life: old.life, into: disk.life })).rejects.toMatchObject({
            code: "INVALID",
            hint: "Name a Zdb with --into.",
        });
        const [, second] = await Promise.allSettled([1, 2].map(() => session.ask("trash.restore", { life: old.life })));
        expect(second).toMatchObject({ reason: { code: "BUSY", hint: expect.stringContaining("zeroform status") } });
    });

    it("without a target says what to do", async () => {
        await using bench = new Bench();
        const { session, db } = await madeWithData(bench);
        await session.remove(db.life);
        await expect(session.ask("trash.restore", { life: db.life })).rejects.toMatchObject({
            code: "LIFE_UNKNOWN",
            hint: expect.stringContaining("pulumi up"),
        });
        await expect(session.ask("trash.restore", { life: session.bench.store.lives.all()[0]?.life ?? db.life })).rejects.toThrow(
            "in the trash",
        );
    });

    it("that the driver refuses changes nothing", async () => {
        await using bench = new Bench();
        const { session, db } = await madeWithData(bench);
        await session.remove(db.life);
        const fresh = await session.create("Zdb", "db");
        bench.node.fail("db", new ZeroformError({ code: "NO_ROOM", message: "5GiB do not fit into 1GiB" }), 1);
        await expect(session.ask("trash.restore", { life: db.life })).rejects.toMatchObject({ code: "NO_ROOM" });
        await bench.clock.advance(15_000);
        expect(bench.store.lives.get(fresh.life)).toMatchObject({ state: "ready", restore: undefined });
        expect(bench.store.trash.get(db.life)).toBeDefined();
    });

    it("that was cut off is finished by the next agent", async () => {
        await using bench = new Bench();
        const { session, db } = await madeWithData(bench);
        await session.remove(db.life);
        const fresh = await session.create("Zdb", "db");
        bench.node.gates.set("db", new Promise(() => undefined));
        session.ask("trash.restore", { life: db.life }).catch(() => undefined);
        await settle();
        bench.node.gates.clear();
        await bench.restart();
        await bench.clock.advance(1_000);
        expect(bench.node.data(fresh.life)).toBe("keys");
        expect(bench.store.lives.get(fresh.life)?.state).toBe("ready");
    });

    it("that waits protects its trash from being purged when its time is over, and from whoever needs the room", async () => {
        await using bench = new Bench();
        const { session, db } = await madeWithData(bench);
        await session.remove(db.life, { trashMs: 1_000 });
        const fresh = await session.create("Zdb", "db");
        bench.node.fail("db", away);
        session.ask("trash.restore", { life: db.life }).catch(() => undefined);
        await bench.clock.advance(60_000);
        expect(bench.store.trash.get(db.life)).toBeDefined();
        const { trash, inventory } = bench.agent.core.parts;
        expect(inventory.trash("Zdb")).toEqual([]);
        await trash.purge(db.life, "its room was needed", { signal: new AbortController().signal, progress: () => undefined });
        bench.node.failures.clear();
        await bench.clock.advance(60_000);
        expect(bench.node.data(fresh.life)).toBe("keys");
    });

    it("whose data are purged all the same is an error, never a success", async () => {
        await using bench = new Bench();
        const { session, db } = await madeWithData(bench);
        await session.remove(db.life);
        const fresh = await session.create("Zdb", "db");
        bench.node.fail("db", away);
        const restore = session.ask("trash.restore", { life: db.life });
        restore.catch(() => undefined);
        await bench.clock.advance(1_000);
        bench.store.trash.remove(db.life);
        bench.node.failures.clear();
        await bench.clock.advance(60_000);
        await expect(restore).rejects.toMatchObject({
            code: "LIFE_UNKNOWN",
            message: expect.stringContaining("not in the trash any more"),
        });
        expect(bench.store.lives.get(fresh.life)).toMatchObject({ state: "ready", restore: undefined });
        expect(bench.store.events.latest(20).map(({ what }) => what)).not.toContain("restored");
    });

    it("that is refused only at a later try is dropped as well", async () => {
        await using bench = new Bench();
        const { session, db } = await madeWithData(bench);
        await session.remove(db.life);
        const fresh = await session.create("Zdb", "db");
        bench.node.fail("db", away, 2);
        const restore = session.ask("trash.restore", { life: db.life });
        restore.catch(() => undefined);
        await bench.clock.advance(600);
        bench.node.fail("db", new ZeroformError({ code: "INVALID", message: "they are of another mode" }), 1);
        await bench.clock.advance(60_000);
        await expect(restore).rejects.toMatchObject({ code: "INVALID" });
        expect(bench.store.lives.get(fresh.life)).toMatchObject({ state: "ready", restore: undefined });
    });

    it("that has moved nothing yet is dropped when its resource is to go", async () => {
        await using bench = new Bench();
        const { session, db } = await madeWithData(bench);
        await session.remove(db.life);
        const fresh = await session.create("Zdb", "db");
        bench.node.write(fresh.life, "fresh");
        bench.node.fail("db", away, 1);
        session.ask("trash.restore", { life: db.life }).catch(() => undefined);
        await settle();
        bench.node.did.length = 0;
        expect(await session.remove(fresh.life)).toEqual({});
        expect(bench.node.did).toEqual(["remove db"]);
        expect(bench.store.trash.all().map(({ life }) => life)).toEqual([db.life, fresh.life]);
    });
});
