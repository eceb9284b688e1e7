import { describe, expect, it } from "vitest";
import { ZeroformError } from "../../protocol/errors.ts";
import { mintSessionId } from "../../protocol/ids.ts";
import { Bench, type Session, urnOf } from "../../test/agent/fakes/bench.ts";
import { SESSION_GRACE_MS } from "./sessions.ts";

const begin = async (bench: Bench): Promise<Session> => {
    const session = bench.session();
    await session.nodeOf();
    return session;
};

/** A run that was killed after it made `disk` and before the engine saved it. */
const crashed = async (bench: Bench) => {
    const session = await begin(bench);
    const disk = await session.create("ZMount", "disk");
    bench.node.write(disk.life, "of the crashed run");
    session.drop();
    return { disk, next: session.next() };
};

describe("a life", () => {
    it("is minted by a create, made, and reported with what is real of it", async () => {
        await using bench = new Bench();
        const session = await begin(bench);
        const heard: string[] = [];
        const disk = await session.create("ZMount", "disk", {}, { heard });
        const db = await session.create("Zdb", "db", { spec: { mount: session.idOf(disk) } });
        expect(disk).toMatchObject({ state: "ready", reasons: [], spec: { size: "20MiB", filesystem: "ext4" } });
        expect(disk.outputs).toEqual({ path: `/on/${disk.life}` });
        expect(heard).toContain("apply disk");
        expect(db.spec).toMatchObject({ port: 9900 });
        expect(db.spec).not.toHaveProperty("password");
        expect(db.generatedSecrets).toEqual({ password: "generated-secret" });
    });

    it("is never answered twice: a create for the same name makes another one", async () => {
        await using bench = new Bench();
        const session = await begin(bench);
        const [one, other] = [await session.create("ZMount", "disk"), await session.create("ZMount", "disk")];
        expect(one.life).not.toBe(other.life);
        expect(bench.node.pieces.size).toBe(2);
    });

    it("is joined by the retry of its create", async () => {
        await using bench = new Bench();
        const session = await begin(bench);
        const gate = Promise.withResolvers<void>();
        bench.node.gates.set("disk", gate.promise);
        const operation = mintSessionId();
        const first = session.create("ZMount", "disk", { operation });
        await bench.clock.advance(0);
        const again = bench.session(session.id);
        again.tenant = session.tenant;
        const second = again.create("ZMount", "disk", { operation });
        gate.resolve();
        expect((await first).life).toBe((await second).life);
        expect(bench.node.did).toEqual(["apply disk"]);
    });

    it("is joined by a retry after the agent was killed", async () => {
        await using bench = new Bench();
        const session = await begin(bench);
        bench.node.gates.set("disk", new Promise(() => undefined));
        const operation = mintSessionId();
        const first = session.create("ZMount", "disk", { operation });
        first.catch(() => undefined);
        await bench.clock.advance(0);
        bench.node.gates.clear();
        await bench.restart();
        const again = bench.session(session.id);
        again.tenant = session.tenant;
        const report = await again.create("ZMount", "disk", { operation });
        expect(report.state).toBe("ready");
        expect(bench.node.pieces.size).toBe(1);
    });

    it("that a killed run left unconfirmed is removed by the next create, its data to the trash", async () => {
        await using bench = new Bench();
        const { disk, next } = await crashed(bench);
        await bench.clock.advance(SESSION_GRACE_MS);
        const made = await next.create("ZMount", "disk");
        expect(made.life).not.toBe(disk.life);
        expect([...bench.node.pieces.keys()]).toEqual([made.life]);
        expect(bench.node.trash.get(`/trash/${disk.life}`)).toBe("of the crashed run");
        expect(await next.ask("trash.list", {})).toMatchObject([{ life: disk.life, bytes: 1 }]);
    });

    it("is not left behind before its session has ended: the create waits for that, and says so", async () => {
        await using bench = new Bench();
        const { disk, next } = await crashed(bench);
        const heard: string[] = [];
        const create = next.create("ZMount", "disk", {}, { heard });
        await bench.clock.advance(SESSION_GRACE_MS - 200);
        expect(bench.store.lives.get(disk.life)?.desired).toBe("present");
        expect(heard).toEqual(['waiting for the end of another run that makes ZMount "disk"']);
        await bench.clock.advance(400);
        expect((await create).life).not.toBe(disk.life);
    });

    it("of a session that does not end is left alone: BUSY after ten seconds", async () => {
        await using bench = new Bench();
        const session = await begin(bench);
        const disk = await session.create("ZMount", "disk");
        const create = session.next().create("ZMount", "disk");
        create.catch(() => undefined);
        await bench.clock.advance(10_000);
        await expect(create).rejects.toMatchObject({ code: "BUSY", resource: "disk", retryable: true });
        expect([...bench.node.pieces.keys()]).toEqual([disk.life]);
    });

    it("of a session that comes back within two seconds is not left behind", async () => {
        await using bench = new Bench();
        const session = await begin(bench);
        await session.create("ZMount", "disk");
        session.drop();
        await bench.clock.advance(SESSION_GRACE_MS - 1);
        bench.session(session.id);
        const create = session.next().create("ZMount", "disk");
        create.catch(() => undefined);
        await bench.clock.advance(10_000);
        await expect(create).rejects.toMatchObject({ code: "BUSY" });
    });

    it("that is confirmed survives a create of the same name: up --replace, create and then delete of the old", async () => {
        await using bench = new Bench();
        const first = await begin(bench);
        const old = await first.create("ZMount", "disk");
        await first.end([old.life, first.tenant]);
        const session = first.next();
        const made = await session.create("ZMount", "disk");
        expect(bench.node.pieces.size).toBe(2);
        await session.remove(old.life);
        expect([...bench.node.pieces.keys()]).toEqual([made.life]);
    });

    it("survives when up --replace is killed between create and delete: the next run removes the new one it never knew", async () => {
        await using bench = new Bench();
        const first = await begin(bench);
        const old = await first.create("ZMount", "disk");
        bench.node.write(old.life, "live");
        await first.end([old.life, first.tenant]);
        const killed = first.next();
        await killed.create("ZMount", "disk");
        killed.drop();
        await bench.clock.advance(SESSION_GRACE_MS);
        const next = first.next();
        const made = await next.create("ZMount", "disk");
        expect([...bench.node.pieces.keys()].sort()).toEqual([old.life, made.life].sort());
        expect(bench.node.data(old.life)).toBe("live");
    });

    it("renamed by alias leaves its name free for another one", async () => {
        await using bench = new Bench();
        const first = await begin(bench);
        const disk = await first.create("ZMount", "disk");
        first.drop();
        await bench.clock.advance(SESSION_GRACE_MS);
        const second = first.next();
        await second.update(disk.life, "ZMount", "renamed", { size: "30MiB" });
        const other = await second.create("ZMount", "disk");
        expect([...bench.node.pieces.keys()].sort()).toEqual([disk.life, other.life].sort());
        expect(bench.store.lives.get(disk.life)).toMatchObject({ name: "renamed", urn: urnOf("ZMount", "renamed") });
    });

    it("renamed without any call is kept because diff has seen it", async () => {
        await using bench = new Bench();
        const first = await begin(bench);
        const disk = await first.create("ZMount", "disk");
        first.drop();
        await bench.clock.advance(SESSION_GRACE_MS);
        const second = first.next();
        second.seen = [disk.life];
        const other = await second.create("ZMount", "disk");
        expect([...bench.node.pieces.keys()].sort()).toEqual([disk.life, other.life].sort());
    });

    it.each([
        ["its own read", async (session: Session, life: ReturnType<Session["create"]>) => session.read((await life).life)],
        [
            "a child that refers to it",
            async (session: Session, life: ReturnType<Session["create"]>) =>
                session.create("Zdb", "db", { spec: { mount: session.idOf(await life) } }),
        ],
        [
            "an orderly end of its session",
            async (session: Session, life: ReturnType<Session["create"]>) => session.end([(await life).life]),
        ],
    ])("is confirmed by %s", async (_, act) => {
        await using bench = new Bench();
        const session = await begin(bench);
        const disk = session.create("ZMount", "disk");
        const { life } = await disk;
        expect(bench.store.lives.get(life)?.confirmed).toBe(false);
        await act(session, disk);
        expect(bench.store.lives.get(life)?.confirmed).toBe(true);
    });

    it("in flight is not confirmed by an orderly end", async () => {
        await using bench = new Bench();
        const session = await begin(bench);
        bench.node.gates.set("disk", new Promise(() => undefined));
        const create = session.create("ZMount", "disk");
        create.catch(() => undefined);
        await bench.clock.advance(0);
        await session.end([session.tenant]);
        session.drop();
        bench.node.gates.clear();
        const made = await session.next().create("ZMount", "disk");
        expect([...bench.node.pieces.keys()]).toEqual([made.life]);
    });

    it("is confirmed together with its tenant even by a call that is refused", async () => {
        await using bench = new Bench();
        const session = await begin(bench);
        const disk = await session.create("ZMount", "disk");
        const db = await session.create("Zdb", "db", { spec: { mount: session.idOf(disk) } });
        await expect(session.remove(disk.life)).rejects.toMatchObject({ code: "IN_USE" });
        expect(bench.store.tenants.get(session.tenant)?.confirmed).toBe(true);
        expect(bench.store.lives.get(db.life)?.confirmed).toBe(false);
    });

    it("whose create was given up in the caller's own session is removed by the next create", async () => {
        await using bench = new Bench();
        const session = await begin(bench);
        bench.node.gates.set("disk", new Promise(() => undefined));
        const gaveUp = new AbortController();
        const create = session.create("ZMount", "disk", {}, { signal: gaveUp.signal });
        create.catch(() => undefined);
        await bench.clock.advance(0);
        gaveUp.abort();
        await expect(create).rejects.toMatchObject({ code: "CANCELLED" });
        bench.node.gates.clear();
        const made = await session.create("ZMount", "disk");
        expect([...bench.node.pieces.keys()]).toEqual([made.life]);
    });

    it("made but not ready is a partial success, and is worked on until it is", async () => {
        await using bench = new Bench();
        const session = await begin(bench);
        bench.node.fail("disk", new ZeroformError({ code: "FAILED", message: "mke2fs said no" }), 2);
        const disk = await session.create("ZMount", "disk");
        expect(disk).toMatchObject({ state: "unfinished", reasons: ["mke2fs said no"] });
        await bench.clock.advance(5_000);
        expect(await session.read(disk.life)).toMatchObject({ found: true, state: "ready", reasons: [] });
    });

    it("is waited for through failures that may pass", async () => {
        await using bench = new Bench();
        const session = await begin(bench);
        bench.node.fail("disk", new ZeroformError({ code: "FAILED", message: "not yet", retryable: true }), 3);
        const create = session.create("ZMount", "disk");
        await bench.clock.advance(10_000);
        expect(await create).toMatchObject({ state: "ready" });
    });

    it("that is not ready at the deadline is answered with the agent's own words", async () => {
        await using bench = new Bench();
        const session = await begin(bench);
        bench.node.fail("disk", new ZeroformError({ code: "FAILED", message: "not yet", hint: "Wait.", retryable: true }));
        const create = session.create("ZMount", "disk", { waitMs: 3_000 });
        await bench.clock.advance(3_000);
        expect(await create).toMatchObject({ state: "unfinished", reasons: ["not yet Wait."] });
    });

    it("is not begun when it is refused", async () => {
        await using bench = new Bench();
        const session = await begin(bench);
        bench.node.refused.set("disk", new ZeroformError({ code: "NO_ROOM", message: "3GiB free" }));
        await expect(session.create("ZMount", "disk")).rejects.toMatchObject({ code: "NO_ROOM", kind: "ZMount", resource: "disk" });
        await expect(session.create("ZMount", "tiny", { spec: { size: "1MiB" } })).rejects.toMatchObject({ code: "INVALID" });
        await expect(session.create("ZMount", "odd", { spec: { sice: "1MiB" } })).rejects.toThrow("sice is not an input of ZMount");
        expect(bench.store.lives.all()).toEqual([]);
    });

    it("never shows a secret in a refusal", async () => {
        await using bench = new Bench();
        const session = await begin(bench);
        const refusal = session.create("Zdb", "db", { spec: { password: "short" } });
        await expect(refusal).rejects.toMatchObject({ code: "INVALID", message: "a secret input (password) is not valid" });
    });

    it("refers to live resources of its own tenant only", async () => {
        await using bench = new Bench();
        const session = await begin(bench);
        const disk = await session.create("ZMount", "disk");
        const other = bench.session();
        await other.nodeOf("beta");
        await expect(other.create("Zdb", "db", { spec: { mount: session.idOf(disk) } })).rejects.toMatchObject({ code: "INVALID" });
        await session.remove(disk.life);
        await expect(session.create("Zdb", "db", { spec: { mount: session.idOf(disk) } })).rejects.toMatchObject({ code: "INVALID" });
    });
});
