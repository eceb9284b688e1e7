import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { mintLife } from "../../protocol/ids.ts";
import { Bench } from "../../test/agent/fakes/bench.ts";
import { settle } from "../../test/agent/fakes/manual-clock.ts";
import { readMachine } from "./machine-file.ts";

const used = async (bench: Bench) => {
    const session = bench.session();
    await session.nodeOf();
    return { session, disk: await session.create("ZMount", "disk"), db: await session.create("Zdb", "db") };
};

const removeStore = ({ places }: Bench) => {
    for (const suffix of ["", "-wal", "-shm"]) rmSync(places.storeFile + suffix, { force: true });
};

describe("a machine", () => {
    it("gets an id at the first start, and keeps it", async () => {
        await using bench = new Bench();
        const { machine } = bench;
        await bench.restart();
        expect(bench.machine).toBe(machine);
        expect(readMachine(bench.places.machineFile)).toMatchObject({ machine, ...bench.fingerprint });
        for (const path of [bench.places.machineFile, bench.places.storeFile, bench.places.keyFile])
            expect(statSync(path).mode & 0o777).toBe(0o600);
    });

    it("whose first start was cut off before machine.json is the one of its store", async () => {
        await using bench = new Bench();
        const { machine } = bench;
        await used(bench);
        rmSync(bench.places.machineFile);
        await bench.restart();
        expect(bench.machine).toBe(machine);
        expect(bench.store.lives.all()).toHaveLength(2);
        expect(existsSync(bench.places.machineFile)).toBe(true);
    });

    it("without its store is lost, and every call says MACHINE_CHANGED", async () => {
        await using bench = new Bench();
        const { session, disk } = await used(bench);
        await bench.agent.stop();
        removeStore(bench);
        await bench.restart();
        const next = session.next();
        expect(bench.agent.welcome(next.id)).toMatchObject({ store: "lost", machine: session.machine, epoch: 0 });
        for (const call of [next.read(disk.life), next.remove(disk.life), next.create("ZMount", "disk"), next.ask("trash.list", {})])
            await expect(call).rejects.toMatchObject({ code: "MACHINE_CHANGED" });
        expect(await next.ask("status", {})).toMatchObject({ welcome: { store: "lost" }, resources: [] });
    });

    it("without its store begins anew, as another machine, when a Node is created on it; data stay untouched and are named", async () => {
        await using bench = new Bench();
        const { session } = await used(bench);
        const data = `${bench.directory}/pool/${mintLife()}.img`;
        mkdirSync(`${bench.directory}/pool`);
        writeFileSync(data, "data");
        await bench.agent.stop();
        removeStore(bench);
        await bench.restart();
        const next = session.next();
        await next.nodeOf();
        expect(next.machine).not.toBe(session.machine);
        // It was greeted by the old name.
        await bench.clock.advance(1_000);
        expect(next.isHungUp).toBe(true);
        expect(readMachine(bench.places.machineFile)?.machine).toBe(next.machine);
        expect((await next.create("ZMount", "disk")).state).toBe("ready");
        expect(readFileSync(data, "utf8")).toBe("data");
        expect(bench.store.events.latest(9).find(({ what }) => what === "found")?.detail).toContain(data);
        await expect(session.next().read(mintLife())).rejects.toMatchObject({ code: "MACHINE_CHANGED" });
        await bench.restart();
        expect(bench.agent.welcome(undefined).store).toBe("ok");
    });

    it("that begins anew for another Node keeps who it was, so that the first one can have its store back", async () => {
        await using bench = new Bench();
        const { session, disk } = await used(bench);
        await bench.agent.stop();
        const away = `${bench.directory}/away`;
        renameSync(bench.places.storeFile, away);
        removeStore(bench);
        await bench.restart();
        await bench.session().nodeOf("of-another-stack");
        const aside = `${bench.places.machineFile}.${session.machine}`;
        expect(readMachine(aside)?.machine).toBe(session.machine);
        await expect(session.next().read(disk.life)).rejects.toMatchObject({
            code: "MACHINE_CHANGED",
            hint: expect.stringContaining(`put ${aside} back as machine.json and a copy of its store as store.db`),
        });
        await bench.agent.stop();
        removeStore(bench);
        renameSync(away, bench.places.storeFile);
        renameSync(aside, bench.places.machineFile);
        await bench.restart();
        expect(await session.next().read(disk.life)).toMatchObject({ found: true });
    });

    it("with data and neither store nor machine.json is lost too, never new", async () => {
        await using bench = new Bench();
        mkdirSync(`${bench.directory}/mounts/${mintLife()}`, { recursive: true });
        await bench.agent.stop();
        removeStore(bench);
        rmSync(bench.places.machineFile);
        await bench.restart();
        expect(bench.agent.welcome(undefined).store).toBe("lost");
        const { machine } = bench;
        await bench.restart();
        expect(bench.machine).toBe(machine);
    });

    it("whose store comes back is itself again", async () => {
        await using bench = new Bench();
        const { session, disk } = await used(bench);
        await bench.agent.stop();
        const away = `${bench.directory}/away`;
        renameSync(bench.places.storeFile, away);
        removeStore(bench);
        await bench.restart();
        expect(bench.agent.welcome(undefined).store).toBe("lost");
        await bench.agent.stop();
        renameSync(away, bench.places.storeFile);
        await bench.restart();
        expect(await session.next().read(disk.life)).toMatchObject({ found: true });
    });

    it("that was cut off while it began anew is lost once more, and begins anew again", async () => {
        await using bench = new Bench();
        await used(bench);
        const record = readFileSync(bench.places.machineFile);
        await bench.agent.stop();
        removeStore(bench);
        await bench.restart();
        await bench.session().nodeOf();
        // The new store is there, and machine.json is still the old one.
        writeFileSync(bench.places.machineFile, record);
        await bench.restart();
        expect(bench.agent.welcome(undefined).store).toBe("lost");
        await bench.session().nodeOf();
        expect(bench.agent.welcome(undefined).store).toBe("ok");
    });
});

describe("a store that cannot be trusted", () => {
    it.each([
        ["is cut short", (bench: Bench) => truncateSync(bench.places.storeFile, 5_000)],
        ["is something else", (bench: Bench) => writeFileSync(bench.places.storeFile, "not a database".repeat(1_000))],
        ["has lost its key", (bench: Bench) => rmSync(bench.places.keyFile)],
        ["has another key", (bench: Bench) => writeFileSync(bench.places.keyFile, Buffer.alloc(32, 7))],
        ["belongs to a machine.json that cannot be read", (bench: Bench) => writeFileSync(bench.places.machineFile, "{")],
    ])("because it %s is never taken for empty: STORE_CORRUPT, and nothing is written", async (_, damage) => {
        await using bench = new Bench();
        const { session, disk } = await used(bench);
        await bench.agent.stop();
        damage(bench);
        const before = readFileSync(bench.places.storeFile);
        await bench.restart();
        const next = session.next();
        expect(bench.agent.welcome(next.id)).toMatchObject({ store: "corrupt", storeReason: expect.any(String) });
        for (const call of [next.read(disk.life), next.create("ZMount", "other"), next.nodeOf(), next.ask("reconciler.sweep", {})])
            await expect(call).rejects.toMatchObject({ code: "STORE_CORRUPT" });
        await bench.clock.advance(60_000);
        expect(bench.node.pieces.has(disk.life)).toBe(true);
        expect(readFileSync(bench.places.storeFile).equals(before)).toBe(true);
    });
});

describe("a copied disk", () => {
    const copied = async (bench: Bench, change: Partial<Bench["fingerprint"]>) => {
        const made = await used(bench);
        bench.fingerprint = { ...bench.fingerprint, ...change };
        await bench.restart();
        return made;
    };

    it.each([
        ["another /etc/machine-id", { etcMachineId: "f".repeat(32) }],
        ["another DMI uuid", { dmiUuid: "two" }],
    ])("is noticed by %s: every call names the two ways out", async (_, change) => {
        await using bench = new Bench();
        const { session, disk } = await copied(bench, change);
        const next = session.next();
        expect(bench.agent.welcome(next.id).store).toBe("copied");
        for (const call of [next.read(disk.life), next.nodeOf(), next.remove(disk.life)])
            await expect(call).rejects.toMatchObject({
                code: "MACHINE_CHANGED",
                hint: expect.stringMatching(/zeroform machine same --host.*zeroform-agent claim same.*`new`/),
            });
    });

    it("is no copy where nothing can be compared", async () => {
        await using bench = new Bench();
        await copied(bench, { dmiUuid: undefined });
        expect(bench.agent.welcome(undefined).store).toBe("ok");
    });

    it("that is the same installation on other hardware goes on", async () => {
        await using bench = new Bench();
        const { session, disk } = await copied(bench, { dmiUuid: "two" });
        const next = session.next();
        expect(await next.ask("machine.claim", { as: "same" })).toEqual({ machine: session.machine });
        expect(await next.read(disk.life)).toMatchObject({ found: true });
        await bench.restart();
        expect(bench.agent.welcome(undefined).store).toBe("ok");
    });

    it("that is a machine of its own begins empty; its old store is put aside", async () => {
        await using bench = new Bench();
        const { session, disk } = await copied(bench, { dmiUuid: "two" });
        const { machine } = await bench.session().ask("machine.claim", { as: "new" });
        expect(machine).not.toBe(session.machine);
        const next = bench.session();
        await next.nodeOf();
        await settle();
        expect(bench.store.lives.all()).toEqual([]);
        expect(bench.node.pieces.has(disk.life)).toBe(true);
        await expect(session.next().read(disk.life)).rejects.toMatchObject({ code: "MACHINE_CHANGED" });
        const { readdirSync } = await import("node:fs");
        expect(readdirSync(bench.directory).some((name) => name.startsWith(`store.db.${session.machine}`))).toBe(true);
    });
});
