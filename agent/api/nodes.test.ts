import { describe, expect, it } from "vitest";
import { mintSessionId } from "../../protocol/ids.ts";
import { VERSION } from "../../protocol/version.ts";
import { Bench, urnOf } from "../../test/agent/fakes/bench.ts";
import { SESSION_GRACE_MS } from "./sessions.ts";

const create = { urn: urnOf("Node", "alpha"), name: "alpha", settings: { installPackages: true }, seen: [] };

describe("a Node", () => {
    it("is a tenant of the machine, with its facts", async () => {
        await using bench = new Bench();
        const session = bench.session();
        const report = await session.nodeOf();
        expect(report).toEqual({ machine: bench.machine, tenant: session.tenant, agentVersion: VERSION, facts: bench.node.facts });
        expect(await session.ask("node.read", { caller: session.caller })).toEqual({ found: true, ...report });
        expect(await session.ask("node.known", { urn: create.urn })).toEqual({ known: true });
    });

    it("is joined by the retry of its create", async () => {
        await using bench = new Bench();
        const session = bench.session();
        const operation = mintSessionId();
        const [one, other] = await Promise.all([1, 2].map(() => session.ask("node.create", { ...create, operation })));
        expect(one?.tenant).toBe(other?.tenant);
        expect(bench.store.tenants.all()).toHaveLength(1);
    });

    it("that a killed run left is removed by the next create, with the lives nobody knows", async () => {
        await using bench = new Bench();
        const killed = bench.session();
        await killed.nodeOf();
        killed.drop();
        await bench.clock.advance(SESSION_GRACE_MS);
        const next = bench.session();
        await next.nodeOf();
        expect(bench.store.tenants.all().map(({ tenant }) => tenant)).toEqual([next.tenant]);
    });

    it("that is confirmed stays beside another one of the same name", async () => {
        await using bench = new Bench();
        const first = bench.session();
        await first.nodeOf();
        await first.create("ZMount", "disk");
        first.drop();
        await bench.clock.advance(SESSION_GRACE_MS);
        await bench.session().nodeOf();
        expect(bench.store.tenants.all()).toHaveLength(2);
        expect(bench.node.pieces.size).toBe(1);
    });

    it("changes its settings in place", async () => {
        await using bench = new Bench();
        const session = bench.session();
        await session.nodeOf();
        await session.ask("node.update", { caller: session.caller, urn: create.urn, settings: { installPackages: false } });
        bench.node.missing = { e2fsprogs: "mke2fs" };
        const refusal = session.create("ZMount", "disk", { settings: { installPackages: false } });
        await expect(refusal).rejects.toMatchObject({
            code: "PACKAGE_MISSING",
            hint: expect.stringMatching(/^Run `apt-get install .*` on the node, or set installPackages/),
        });
        await expect(refusal).rejects.toThrow("e2fsprogs");
        expect((await session.create("ZMount", "disk")).state).toBe("ready");
        expect(bench.store.events.latest(9).map(({ what }) => what)).toContain("installed");
    });

    it("takes the lives nobody knows with it, their data to the trash; the agent goes at the last purge", async () => {
        await using bench = new Bench();
        const session = bench.session();
        await session.nodeOf();
        const disk = await session.create("ZMount", "disk");
        const answer = await session.ask("node.delete", { caller: session.caller, trashMs: 60_000 });
        expect(answer).toEqual({ kept: [], agent: "trash" });
        await session.end();
        expect(bench.node.trash.has(`/trash/${disk.life}`)).toBe(true);
        expect(bench.left).toBe(0);
        await bench.clock.advance(75_000);
        expect(bench.node.trash.size).toBe(0);
        expect(bench.left).toBeGreaterThan(0);
    });

    it("leaves the lives that the engine knows, and names them", async () => {
        await using bench = new Bench();
        const session = bench.session();
        await session.nodeOf();
        const disk = await session.create("ZMount", "disk");
        await session.read(disk.life);
        expect(await session.ask("node.delete", { caller: session.caller, trashMs: 0 })).toEqual({
            kept: [{ life: disk.life, kind: "ZMount", urn: urnOf("ZMount", "disk") }],
            agent: "stays",
        });
        expect(await session.ask("node.read", { caller: session.caller })).toEqual({ found: false });
        expect(await session.ask("node.known", { urn: create.urn })).toEqual({ known: false });
        expect(bench.node.pieces.has(disk.life)).toBe(true);
        await session.end();
        await bench.restart();
        await bench.clock.advance(15_000);
        const late = session.next();
        await late.remove(disk.life, { trashMs: 0 });
        expect(bench.store.tenants.all()).toEqual([]);
        expect(bench.left).toBeGreaterThan(0);
    });

    it("takes the agent away when nothing is left, and not while another Node is there", async () => {
        await using bench = new Bench();
        const [session, other] = [bench.session(), bench.session()];
        await session.nodeOf();
        await other.nodeOf("beta");
        expect(await session.ask("node.delete", { caller: session.caller, trashMs: 0 })).toEqual({ kept: [], agent: "stays" });
        expect(bench.left).toBe(0);
        expect(await other.ask("node.delete", { caller: other.caller, trashMs: 0 })).toEqual({ kept: [], agent: "removed" });
        expect(bench.left).toBe(0);
        await other.end();
        expect(bench.left).toBe(1);
    });

    it("keeps the agent while the engine may not have saved that the Node is gone: the next run asks again, and is told", async () => {
        await using bench = new Bench();
        const killed = bench.session();
        await killed.nodeOf();
        await killed.ask("node.delete", { caller: killed.caller, trashMs: 0 });
        await bench.clock.advance(60_000);
        expect(bench.left).toBe(0);
        const next = killed.next();
        expect(await next.ask("node.delete", { caller: next.caller, trashMs: 0 })).toEqual({ kept: [], agent: "removed" });
        await next.end();
        expect(bench.left).toBe(1);
    });

    it("keeps the agent that was about to go", async () => {
        await using bench = new Bench();
        const session = bench.session();
        await session.nodeOf();
        await session.create("ZMount", "disk");
        await session.ask("node.delete", { caller: session.caller, trashMs: 60_000 });
        await bench.session().nodeOf();
        await bench.clock.advance(75_000);
        expect(bench.node.trash.size).toBe(0);
        expect(bench.left).toBe(0);
    });
});
