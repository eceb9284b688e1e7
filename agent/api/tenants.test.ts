import { describe, expect, it } from "vitest";
import { ZeroformError } from "../../protocol/errors.ts";
import { mintTenantId } from "../../protocol/ids.ts";
import { Bench, madeWithData, urnOf } from "../../test/agent/fakes/bench.ts";

const DAY_MS = 86_400_000;

/** Two stacks on one machine; nobody is there any more. */
const twoTenants = async (bench: Bench) => {
    const first = await madeWithData(bench);
    const other = bench.session();
    await other.nodeOf("other");
    const theirs = await other.create("ZMount", "theirs");
    bench.node.write(theirs.life, "theirs");
    first.session.drop();
    other.drop();
    return { ...first, tenant: first.session.tenant, theirs, otherTenant: other.tenant };
};

const evict = (bench: Bench, tenant = mintTenantId(), more = {}) =>
    bench.session().ask("tenant.evict", { machine: bench.machine, tenant, trashMs: DAY_MS, waitMs: 60_000, ...more });

describe("what tenants have", () => {
    it("is told to whoever looks, with what it takes and who is at it", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await madeWithData(bench);
        const looking = bench.observer();
        expect(await looking.ask("tenant.list", {})).toEqual([
            {
                tenant: session.tenant,
                urn: urnOf("Node", "alpha"),
                confirmed: true,
                deleted: false,
                createdAt: expect.any(Number),
                seenAt: bench.clock.now(),
                active: true,
                resources: [
                    { kind: "ZMount", count: 1 },
                    { kind: "Zdb", count: 1 },
                ],
                unconfirmed: 1,
                kept: 0,
                bytes: 20 * 2 ** 20,
                trash: { count: 0, bytes: 0 },
            },
        ]);
        await session.remove(db.life);
        await session.remove(disk.life, { onRemove: "keep" });
        session.drop();
        const seenAt = bench.clock.now();
        await bench.clock.advance(10 * 60_000);
        expect(await looking.ask("tenant.list", {})).toMatchObject([
            { active: false, seenAt, resources: [], kept: 1, bytes: 20 * 2 ** 20, trash: { count: 1, bytes: 1 } },
        ]);
    });
});

describe("an eviction", () => {
    it("takes all of one tenant, its data to the trash, and nothing of another", async () => {
        await using bench = new Bench();
        const { tenant, disk, db, theirs, otherTenant } = await twoTenants(bench);
        const { removed, agent } = await evict(bench, tenant);
        expect(removed.map(({ life }) => life).sort()).toEqual([disk.life, db.life].sort());
        expect(agent).toBe("stays");
        expect(bench.store.tenants.all().map((each) => each.tenant)).toEqual([otherTenant]);
        expect(bench.store.lives.all().map(({ life }) => life)).toEqual([theirs.life]);
        expect(bench.node.data(theirs.life)).toBe("theirs");
        expect(bench.node.did.filter((step) => step.startsWith("remove"))).toEqual(["remove db", "remove disk"]);
        expect(bench.store.trash.all().map(({ life, keepMs }) => [life, keepMs])).toEqual([
            [db.life, DAY_MS],
            [disk.life, DAY_MS],
        ]);
        expect(bench.left).toBe(0);
    });

    it("of the last tenant lets the agent go once its trash is purged", async () => {
        await using bench = new Bench();
        const { session } = await madeWithData(bench);
        session.drop();
        expect(await evict(bench, session.tenant)).toMatchObject({ agent: "trash" });
        expect(bench.left).toBe(0);
        await bench.session().ask("trash.purge", { lives: bench.store.trash.all().map(({ life }) => life) });
        expect(bench.left).toBeGreaterThan(0);
    });

    it("is refused while a run works with the tenant", async () => {
        await using bench = new Bench();
        const { session } = await madeWithData(bench);
        await expect(evict(bench, session.tenant)).rejects.toMatchObject({
            code: "BUSY",
            message: expect.stringContaining('Node "alpha"'),
        });
        expect(bench.store.lives.where(({ desired }) => desired === "removed")).toEqual([]);
        session.drop();
        await evict(bench, session.tenant);
    });

    it("goes on by itself after a power cut in the middle", async () => {
        await using bench = new Bench();
        const { session } = await madeWithData(bench);
        session.drop();
        bench.node.fail("db", new ZeroformError({ code: "NOT_READY", message: "busy", retryable: true }));
        const waiting = evict(bench, session.tenant);
        waiting.catch(() => undefined);
        await bench.clock.advance(1_000);
        bench.node.failures.clear();
        await bench.restart();
        await bench.clock.advance(1_000);
        expect(bench.store.lives.all()).toEqual([]);
        expect(bench.store.tenants.all()).toEqual([]);
        expect(bench.store.trash.all()).toHaveLength(2);
    });

    it("takes kept data too, also those on a mount that was kept", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await madeWithData(bench);
        await session.remove(db.life, { onRemove: "keep" });
        await session.remove(disk.life, { onRemove: "keep" });
        session.drop();
        expect(await evict(bench, session.tenant, { trashMs: 0 })).toMatchObject({ removed: [{ life: disk.life }], agent: "removed" });
        expect(bench.store.lives.all()).toEqual([]);
        expect(bench.store.tenants.all()).toEqual([]);
        expect(bench.left).toBeGreaterThan(0);
    });

    it("names a tenant that is not there, and a machine that is not meant", async () => {
        await using bench = new Bench();
        await expect(evict(bench)).rejects.toMatchObject({ code: "TENANT_UNKNOWN" });
        await expect(evict(bench, mintTenantId(), { machine: "m" })).rejects.toMatchObject({ code: "MACHINE_CHANGED" });
    });
});

describe("what is disclosed of a tenant", () => {
    it("is all that it wants, what others stand on first, to a session only, and written down", async () => {
        await using bench = new Bench();
        const { tenant, disk, db } = await twoTenants(bench);
        const { lives, kept, ...rest } = await bench.session().ask("tenant.disclose", { machine: bench.machine, tenant });
        expect(lives).toMatchObject([
            { life: disk.life, kind: "ZMount", name: "disk", confirmed: true, generated: [] },
            { life: db.life, kind: "Zdb", uses: { mount: disk.life }, spec: { password: "generated-secret" }, confirmed: false },
        ]);
        expect(lives[1]?.generated.toSorted()).toEqual(["password", "port"]);
        expect([kept, rest.tenant.settings]).toEqual([[], { installPackages: true }]);
        expect(bench.store.tenants.get(tenant)?.confirmed).toBe(true);
        expect(bench.store.events.latest(1)).toMatchObject([
            { what: "disclosed", detail: expect.not.stringContaining("generated-secret") },
        ]);
        await expect(bench.observer().ask("tenant.disclose", { machine: bench.machine, tenant })).rejects.toMatchObject({
            code: "INVALID",
        });
    });

    it("confirms nothing that the engine may not know", async () => {
        await using bench = new Bench();
        const { tenant, db } = await twoTenants(bench);
        await bench.session().ask("tenant.disclose", { machine: bench.machine, tenant });
        expect(bench.store.lives.get(db.life)?.confirmed).toBe(false);
    });
});

describe("a new name", () => {
    it("is kept, of a Node and of what is on it", async () => {
        await using bench = new Bench();
        const { session, disk } = await madeWithData(bench);
        await session.ask("tenant.rename", { caller: session.caller, life: disk.life, urn: urnOf("ZMount", "store") });
        await session.ask("tenant.rename", { caller: session.caller, urn: urnOf("Node", "beta") });
        expect(bench.store.lives.get(disk.life)).toMatchObject({ urn: urnOf("ZMount", "store"), name: "store", state: "ready" });
        expect(bench.store.tenants.get(session.tenant)).toMatchObject({ urn: urnOf("Node", "beta"), name: "beta" });
    });
});
