import { describe, expect, it } from "vitest";
import { ZeroformError } from "../../protocol/errors.ts";
import { mintLife, mintMachineId, mintSessionId, mintTenantId } from "../../protocol/ids.ts";
import { Bench } from "../../test/agent/fakes/bench.ts";
import { settle } from "../../test/agent/fakes/manual-clock.ts";

const made = async (bench: Bench) => {
    const session = bench.session();
    await session.nodeOf();
    return { session, disk: await session.create("ZMount", "disk") };
};

describe("a session", () => {
    it("keeps its age over reconnects", async () => {
        await using bench = new Bench();
        const [first, second] = [bench.session(), bench.session()];
        const ages = [first, second].map(({ id }) => bench.agent.welcome(id).epoch);
        expect(ages).toEqual([1, 2]);
        await bench.restart();
        expect([first, second].map(({ id }) => bench.agent.welcome(id).epoch)).toEqual(ages);
        expect(bench.agent.welcome(undefined).epoch).toBe(0);
    });

    it("that still has a channel stays the older one, however many others came since", async () => {
        await using bench = new Bench();
        const { session: orphan, disk } = await made(bench);
        const idle = bench.session();
        const age = bench.agent.welcome(idle.id).epoch;
        await orphan.next().update(disk.life, "ZMount", "disk", { size: "40MiB" });
        bench.store.transaction(() => {
            for (let count = 0; count < 1_005; count++) bench.store.sessions.epoch(mintSessionId());
        });
        expect(bench.agent.welcome(idle.id).epoch).toBe(age);
        await expect(orphan.update(disk.life, "ZMount", "disk", { size: "50MiB" })).rejects.toMatchObject({ code: "SUPERSEDED" });
    });

    it("that is older than the last one that touched a life changes nothing: SUPERSEDED", async () => {
        await using bench = new Bench();
        const { session: orphan, disk } = await made(bench);
        const next = orphan.next();
        await next.update(disk.life, "ZMount", "disk", { size: "40MiB" });
        await expect(orphan.update(disk.life, "ZMount", "disk", { size: "50MiB" })).rejects.toMatchObject({ code: "SUPERSEDED" });
        await expect(orphan.remove(disk.life)).rejects.toMatchObject({ code: "SUPERSEDED" });
        expect(bench.store.lives.get(disk.life)?.spec.size).toBe("40MiB");
    });

    it("that is older makes nothing where a younger one has made the same", async () => {
        await using bench = new Bench();
        const orphan = bench.session();
        await orphan.nodeOf();
        const next = orphan.next();
        await next.create("ZMount", "disk");
        await expect(orphan.create("ZMount", "disk")).rejects.toMatchObject({ code: "SUPERSEDED" });
        expect(bench.node.pieces.size).toBe(1);
    });

    it("may read what a younger one has touched", async () => {
        await using bench = new Bench();
        const { session: orphan, disk } = await made(bench);
        await orphan.next().update(disk.life, "ZMount", "disk", { size: "40MiB" });
        expect(await orphan.read(disk.life)).toMatchObject({ found: true });
    });

    it("that has ended does nothing any more", async () => {
        await using bench = new Bench();
        const { session, disk } = await made(bench);
        await session.end();
        await expect(session.update(disk.life, "ZMount", "disk", {})).rejects.toMatchObject({ code: "SUPERSEDED" });
    });

    it("that loses its channel loses the waiting only", async () => {
        await using bench = new Bench();
        const session = bench.session();
        await session.nodeOf();
        const gate = Promise.withResolvers<void>();
        bench.node.gates.set("disk", gate.promise);
        const create = session.create("ZMount", "disk");
        create.catch(() => undefined);
        await settle();
        session.drop();
        await expect(create).rejects.toMatchObject({ code: "CANCELLED" });
        gate.resolve();
        await settle();
        expect(bench.store.lives.all()).toMatchObject([{ state: "ready" }]);
    });

    it("is not an observer, which may only look", async () => {
        await using bench = new Bench();
        const { session, disk } = await made(bench);
        const observer = bench.observer();
        observer.tenant = session.tenant;
        await expect(observer.read(disk.life)).rejects.toMatchObject({ code: "INVALID" });
        await expect(observer.ask("reconciler.pause", {})).rejects.toMatchObject({ code: "INVALID" });
        expect(await observer.ask("status", {})).toMatchObject({ resources: [{ life: disk.life }] });
        expect(await observer.ask("trash.list", {})).toEqual([]);
        expect(await observer.ask("node.known", { urn: "urn:nobody" })).toEqual({ known: false });
    });
});

describe("operations on one life", () => {
    it("come one after the other: the later one's wish is what is made", async () => {
        await using bench = new Bench();
        const { session, disk } = await made(bench);
        const gate = Promise.withResolvers<void>();
        bench.node.gates.set("disk", gate.promise);
        const updates = ["30MiB", "40MiB"].map((size) => session.update(disk.life, "ZMount", "disk", { size }));
        await settle();
        gate.resolve();
        for (const report of await Promise.all(updates)) expect(report).toMatchObject({ state: "ready", spec: { size: "40MiB" } });
        expect(bench.node.pieces.get(disk.life)?.spec.size).toBe("40MiB");
    });

    it("end the making of what is to be removed", async () => {
        await using bench = new Bench();
        const session = bench.session();
        await session.nodeOf();
        bench.node.gates.set("disk", new Promise(() => undefined));
        const create = session.create("ZMount", "disk");
        create.catch(() => undefined);
        await settle();
        const life = bench.store.lives.all().at(0)?.life ?? mintLife();
        bench.node.gates.clear();
        await session.remove(life);
        await expect(create).rejects.toMatchObject({ code: "SUPERSEDED" });
        expect(bench.node.pieces.size).toBe(0);
    });

    it("change nothing when the update is refused", async () => {
        await using bench = new Bench();
        const { session, disk } = await made(bench);
        const before = bench.store.lives.get(disk.life);
        await expect(session.update(disk.life, "ZMount", "disk", { size: "16MiB" })).rejects.toMatchObject({
            code: "INVALID",
            message: "it never shrinks",
        });
        expect(bench.store.lives.get(disk.life)).toMatchObject({ spec: before?.spec, state: "ready", work: "none" });
    });

    it("that fail half-way are kept and worked on", async () => {
        await using bench = new Bench();
        const { session, disk } = await made(bench);
        bench.node.fail("disk", new ZeroformError({ code: "FAILED", message: "resize2fs said no" }), 1);
        expect(await session.update(disk.life, "ZMount", "disk", { size: "40MiB" })).toMatchObject({
            state: "unfinished",
            reasons: ["resize2fs said no"],
            spec: { size: "40MiB" },
        });
        await bench.clock.advance(1_000);
        expect(bench.node.pieces.get(disk.life)?.spec.size).toBe("40MiB");
    });

    it("keep generated inputs, and answer those that are secret", async () => {
        await using bench = new Bench();
        const session = bench.session();
        await session.nodeOf();
        const db = await session.create("Zdb", "db", { spec: { password: "given-password", port: 9911 } });
        expect(db.generatedSecrets).toEqual({});
        const updated = await session.update(db.life, "Zdb", "db", { size: "30MiB" });
        expect(updated.spec).toMatchObject({ port: 9911, size: "30MiB" });
        expect(updated.generatedSecrets).toEqual({ password: "given-password" });
        expect(bench.store.lives.get(db.life)?.generated).toEqual(expect.arrayContaining(["password", "port"]));
    });

    it("count the calls that name a life", async () => {
        await using bench = new Bench();
        const { session, disk } = await made(bench);
        const namedAt = async () => (await session.ask("status", {})).resources.at(0)?.namedAt;
        expect(await namedAt()).toBeUndefined();
        await session.read(disk.life);
        expect(await namedAt()).toBe(bench.clock.now());
    });

    it("is not named by the end of the session that made it: that only proves it is saved", async () => {
        await using bench = new Bench();
        const { session, disk } = await made(bench);
        await session.end([disk.life]);
        expect(bench.store.lives.get(disk.life)?.confirmed).toBe(true);
        expect(bench.store.lives.get(disk.life)?.namedAt).toBeUndefined();
    });

    it("is not made on what was removed while the machine was asked whether it fits", async () => {
        await using bench = new Bench();
        const { session, disk } = await made(bench);
        const { drivers } = bench.node;
        const admit = drivers.Zdb.admit.bind(drivers.Zdb);
        drivers.Zdb.admit = async (wanted, old, context) => {
            await session.remove(disk.life);
            return admit(wanted, old, context);
        };
        await expect(session.create("Zdb", "db", { spec: { mount: session.idOf(disk) } })).rejects.toMatchObject({
            code: "INVALID",
            message: expect.stringContaining("is not on the node"),
        });
        expect(bench.store.lives.all()).toEqual([]);
    });
});

describe("a caller", () => {
    it("that means another machine is told so, and never that something is absent", async () => {
        await using bench = new Bench();
        const { session, disk } = await made(bench);
        session.machine = mintMachineId();
        for (const call of [session.read(disk.life), session.remove(disk.life), session.create("ZMount", "other")])
            await expect(call).rejects.toMatchObject({ code: "MACHINE_CHANGED" });
        const { caller } = session;
        await expect(session.ask("node.read", { caller })).rejects.toMatchObject({ code: "MACHINE_CHANGED" });
        await expect(session.ask("node.delete", { caller, trashMs: 0 })).rejects.toMatchObject({ code: "MACHINE_CHANGED" });
    });

    it("of an unknown tenant finds nothing but itself, may delete, and may not make", async () => {
        await using bench = new Bench();
        const { session, disk } = await made(bench);
        session.tenant = mintTenantId();
        const { caller } = session;
        expect(await session.read(disk.life)).toEqual({ found: false });
        expect(await session.ask("node.read", { caller })).toMatchObject({ found: true, reasons: [expect.stringContaining("no record")] });
        expect(await session.remove(disk.life)).toEqual({});
        expect(await session.ask("node.delete", { caller, trashMs: 0 })).toMatchObject({ kept: [], agent: "stays" });
        await expect(session.create("ZMount", "other")).rejects.toMatchObject({ code: "TENANT_UNKNOWN" });
        await expect(session.update(disk.life, "ZMount", "disk", {})).rejects.toMatchObject({ code: "TENANT_UNKNOWN" });
        expect(bench.node.pieces.has(disk.life)).toBe(true);
    });

    it("does not reach the lives of another tenant", async () => {
        await using bench = new Bench();
        const { disk } = await made(bench);
        const other = bench.session();
        await other.nodeOf("beta");
        expect(await other.read(disk.life)).toEqual({ found: false });
        expect(await other.remove(disk.life)).toEqual({});
        await expect(other.update(disk.life, "ZMount", "disk", {})).rejects.toMatchObject({ code: "LIFE_UNKNOWN" });
        expect(bench.node.pieces.has(disk.life)).toBe(true);
    });

    it("that proves a secret is told which ones differ, and nothing else", async () => {
        await using bench = new Bench();
        const session = bench.session();
        await session.nodeOf();
        const db = await session.create("Zdb", "db");
        const { createHmac } = await import("node:crypto");
        const key = Buffer.from("key");
        const digest = (text: string) => ({ key: key.toString("base64"), hmac: createHmac("sha256", key).update(text).digest("base64") });
        expect(await session.read(db.life, { password: digest("generated-secret") })).toMatchObject({ differingSecrets: [] });
        const report = await session.read(db.life, { password: digest("another") });
        expect(report).toMatchObject({ differingSecrets: ["password"] });
        expect(JSON.stringify(report)).not.toContain("generated-secret");
    });
});
