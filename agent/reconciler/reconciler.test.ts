import { describe, expect, it } from "vitest";
import { ZeroformError } from "../../protocol/errors.ts";
import { Bench } from "../../test/agent/fakes/bench.ts";
import { settle } from "../../test/agent/fakes/manual-clock.ts";

const made = async (bench: Bench) => {
    const session = bench.session();
    await session.nodeOf();
    const disk = await session.create("ZMount", "disk");
    const db = await session.create("Zdb", "db", { spec: { mount: session.idOf(disk) } });
    await bench.clock.advance(2_000);
    bench.node.did.length = 0;
    return { session, disk, db };
};

const broken = (message: string) => new ZeroformError({ code: "FAILED", message, retryable: true });

describe("the reconciler", () => {
    it("heals what has drifted at the next sweep, and says so", async () => {
        await using bench = new Bench();
        const { disk } = await made(bench);
        bench.node.drift.set(disk.life, "not mounted");
        await bench.clock.advance(15_000);
        expect(bench.store.lives.get(disk.life)).toMatchObject({ state: "ready", reasons: [] });
        expect(bench.store.events.latest(1)).toMatchObject([{ what: "healed", detail: "ZMount: not mounted", life: disk.life }]);
    });

    it("heals at once when the machine says that something has changed", async () => {
        await using bench = new Bench();
        const { disk } = await made(bench);
        bench.node.drift.set(disk.life, "not mounted");
        bench.node.changed();
        await bench.clock.advance(1_000);
        expect(bench.node.did).toEqual(["apply disk"]);
    });

    it("heals as soon after the clock was set back by days", async () => {
        await using bench = new Bench();
        const { disk } = await made(bench);
        await bench.clock.advance(15_000);
        bench.clock.set(-10 * 86_400_000);
        bench.node.drift.set(disk.life, "not mounted");
        bench.node.changed();
        await bench.clock.advance(1_000);
        expect(bench.node.did).toEqual(["apply disk"]);
    });

    it("does nothing when there is nothing to do, and writes nothing", async () => {
        await using bench = new Bench();
        await made(bench);
        let commits = 0;
        const { changes } = { changes: () => commits };
        bench.store.onCommit(() => commits++);
        await bench.clock.advance(60_000);
        expect(bench.node.did).toEqual([]);
        expect(changes()).toBe(0);
    });

    it("looks once a sweep, however many resources there are", async () => {
        await using bench = new Bench();
        const { session } = await made(bench);
        for (let count = 0; count < 5; count++) await session.create("ZMount", `disk${count}`);
        await bench.clock.advance(2_000);
        let looks = 0;
        const { ZMount } = bench.node.drivers;
        const gather = ZMount.gather.bind(ZMount);
        ZMount.gather = (os, resources) => {
            looks++;
            return gather(os, resources);
        };
        await bench.clock.advance(15_000);
        expect(looks).toBe(1);
    });

    it("waits with a resource for what it stands on, and goes on as soon as that is ready", async () => {
        await using bench = new Bench();
        const { disk, db } = await made(bench);
        bench.node.fail("disk", broken("no such device"), 3);
        bench.node.drift.set(disk.life, "not mounted");
        bench.node.drift.set(db.life, "not running");
        await bench.clock.advance(15_000);
        expect(bench.store.lives.get(db.life)).toMatchObject({ state: "unfinished", reasons: ['it waits for ZMount "disk"'] });
        await bench.clock.advance(4_000);
        expect(bench.node.did).toEqual(["apply disk", "apply disk", "apply disk", "apply disk", "apply db"]);
        expect(bench.store.lives.get(db.life)?.state).toBe("ready");
    });

    it("observes what stands on a healed resource at once", async () => {
        await using bench = new Bench();
        const { disk, db } = await made(bench);
        bench.node.drift.set(disk.life, "not mounted");
        const { ZMount } = bench.node.drivers;
        const apply = ZMount.apply.bind(ZMount);
        ZMount.apply = async (resource, context) => {
            bench.node.drift.set(db.life, "it fell with its mount");
            return apply(resource, context);
        };
        bench.node.changed();
        await bench.clock.advance(3_000);
        expect(bench.node.did).toEqual(["apply disk", "apply db"]);
    });

    it("keeps no resource waiting for another that is broken or hangs", async () => {
        await using bench = new Bench();
        const { session } = await made(bench);
        bench.node.gates.set("hangs", new Promise(() => undefined));
        session.create("ZMount", "hangs").catch(() => undefined);
        bench.node.fail("broken", broken("no"));
        session.create("ZMount", "broken").catch(() => undefined);
        await settle();
        expect((await session.create("ZMount", "fine")).state).toBe("ready");
    });

    it("tries again ever more rarely, and never gives up", async () => {
        await using bench = new Bench();
        const { disk } = await made(bench);
        bench.node.fail("disk", broken("no"));
        bench.node.drift.set(disk.life, "not mounted");
        await bench.clock.advance(60 * 60_000);
        const tries = bench.node.did.filter((each) => each === "apply disk").length;
        expect(tries).toBeGreaterThan(55);
        expect(tries).toBeLessThan(75);
        bench.node.failures.clear();
        await bench.clock.advance(61_000);
        expect(bench.store.lives.get(disk.life)?.state).toBe("ready");
    });

    it("says what is broken once, not at every try", async () => {
        await using bench = new Bench();
        const { disk } = await made(bench);
        bench.node.fail("disk", broken("no such device"));
        bench.node.drift.set(disk.life, "not mounted");
        await bench.clock.advance(10 * 60_000);
        const events = bench.store.events.latest(100).filter(({ what }) => what === "broken");
        expect(events.length).toBe(1);
        expect(bench.store.lives.get(disk.life)?.reasons).toEqual(["no such device"]);
    });

    it("does neither sweep nor heal while it is paused, and tells the truth to a read", async () => {
        await using bench = new Bench();
        const { session, disk } = await made(bench);
        await session.ask("reconciler.pause", {});
        bench.node.drift.set(disk.life, "not mounted");
        await bench.clock.advance(60_000);
        expect(await session.read(disk.life)).toMatchObject({ found: true, state: "unfinished", reasons: ["not mounted"] });
        expect(bench.node.did).toEqual([]);
        await session.ask("reconciler.resume", {});
        await bench.clock.advance(1_000);
        expect(bench.node.did).toEqual(["apply disk"]);
    });

    it("goes on when the channel that paused it closes", async () => {
        await using bench = new Bench();
        const { disk } = await made(bench);
        const tester = bench.session();
        await tester.ask("reconciler.pause", {});
        bench.node.drift.set(disk.life, "not mounted");
        tester.drop();
        await bench.clock.advance(1_000);
        expect(bench.node.did).toEqual(["apply disk"]);
    });

    it("sweeps when asked, and answers when everything is healed", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await made(bench);
        bench.node.drift.set(disk.life, "not mounted");
        bench.node.drift.set(db.life, "not running");
        await session.ask("reconciler.sweep", {});
        expect(bench.node.did).toEqual(["apply disk", "apply db"]);
    });

    it("sweeps and heals when asked while it is paused", async () => {
        await using bench = new Bench();
        const { session, disk } = await made(bench);
        await session.ask("reconciler.pause", {});
        bench.node.drift.set(disk.life, "not mounted");
        await session.ask("reconciler.sweep", {});
        expect(bench.node.did).toEqual(["apply disk"]);
    });

    it("heals what a read finds drifted, and answers after it", async () => {
        await using bench = new Bench();
        const { session, db } = await made(bench);
        bench.node.drift.set(db.life, "not running");
        expect(await session.read(db.life)).toMatchObject({ found: true, state: "ready" });
    });

    it("lets a read wait for healing only so long", async () => {
        await using bench = new Bench();
        const { session, db } = await made(bench);
        bench.node.drift.set(db.life, "not running");
        bench.node.fail("db", broken("port 9900 is taken"));
        const read = session.read(db.life);
        await bench.clock.advance(10_000);
        expect(await read).toMatchObject({ found: true, state: "unfinished", reasons: ["port 9900 is taken"] });
    });

    it("lets no waiting end while data move, and ends it soon after they stop", async () => {
        await using bench = new Bench();
        const { session, disk } = await made(bench);
        const { promise: gate, resolve: open } = Promise.withResolvers<void>();
        bench.node.gates.set("disk", gate);
        const { ZMount } = bench.node.drivers;
        const apply = ZMount.apply.bind(ZMount);
        let move: () => void = () => undefined;
        ZMount.apply = (resource, context) => {
            move = () => context.progress("copying", true);
            return apply(resource, context);
        };
        let answered = false;
        const update = session.update(disk.life, "ZMount", "disk", { size: "40MiB" }).then((report) => {
            answered = true;
            return report;
        });
        await settle();
        for (let times = 0; times < 10; times++) {
            move();
            await bench.clock.advance(40_000);
            expect(answered).toBe(false);
        }
        await bench.clock.advance(40_000);
        expect(await update).toMatchObject({ state: "unfinished" });
        open();
    });

    it("goes on after a kill with what was under way: making, changing, removing", async () => {
        await using bench = new Bench();
        const { session, disk, db } = await made(bench);
        const forever = new Promise<void>(() => undefined);
        for (const name of ["new", "disk", "db"]) bench.node.gates.set(name, forever);
        session.create("ZMount", "new").catch(() => undefined);
        session.update(disk.life, "ZMount", "disk", { size: "40MiB" }).catch(() => undefined);
        session.remove(db.life).catch(() => undefined);
        await settle();
        bench.node.gates.clear();
        await bench.restart();
        await bench.clock.advance(1_000);
        expect(bench.store.lives.all().map(({ name, state }) => [name, state])).toEqual([
            ["disk", "ready"],
            ["new", "ready"],
        ]);
        expect(bench.node.pieces.get(disk.life)?.spec.size).toBe("40MiB");
        expect(bench.store.trash.get(db.life)).toBeDefined();
    });

    it("survives a judgement that throws, for the others", async () => {
        await using bench = new Bench();
        const { session, disk } = await made(bench);
        const other = await session.create("ZMount", "other");
        await bench.clock.advance(2_000);
        const { ZMount } = bench.node.drivers;
        const observe = ZMount.observe.bind(ZMount);
        ZMount.observe = (resource, facts) => {
            if (resource.life === disk.life) throw new Error("a defect");
            return observe(resource, facts);
        };
        bench.node.drift.set(other.life, "not mounted");
        await bench.clock.advance(15_000);
        expect(bench.store.lives.get(other.life)?.state).toBe("ready");
        expect(bench.store.events.latest(1)).toMatchObject([{ what: "healed", name: "other" }]);
        expect(bench.store.lives.get(disk.life)?.reasons.join()).toContain("a defect");
    });
});
