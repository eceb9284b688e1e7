import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Life, MachineId, TenantId } from "../../protocol/ids.ts";
import { Bench, type Session } from "../../test/agent/fakes/bench.ts";
import { SESSION_GRACE_MS } from "./sessions.ts";

/** What the engine had been answered, and so may have saved, when the power went. */
interface Saved {
    tenant?: TenantId;
    machine?: MachineId;
    disk?: Life;
    db?: Life;
}

/** Everything that survives a power cut, at one moment. */
interface Moment {
    readonly directory: string;
    readonly node: ReturnType<Bench["node"]["copy"]>;
    readonly saved: Saved;
    readonly after: string;
}

const KEPT = "what the user wrote";

/** A program's whole life: made, used, grown, lost to the trash, restored, removed. */
const story = async (bench: Bench, saved: Saved): Promise<void> => {
    const session = bench.session();
    await session.nodeOf();
    Object.assign(saved, { tenant: session.tenant, machine: session.machine });
    const disk = await session.create("ZMount", "disk");
    saved.disk = disk.life;
    const db = await session.create("Zdb", "db", { spec: { mount: session.idOf(disk) } });
    saved.db = db.life;
    bench.node.write(db.life, KEPT);
    await session.update(disk.life, "ZMount", "disk", { size: "40MiB" });
    await session.remove(db.life);
    delete saved.db;
    const again = await session.create("Zdb", "db", { spec: { mount: session.idOf(disk) } });
    saved.db = again.life;
    await session.ask("trash.restore", { life: db.life });
    await session.remove(again.life, { trashMs: 0 });
    delete saved.db;
    await session.remove(disk.life);
    delete saved.disk;
    await session.ask("node.delete", { caller: session.caller, trashMs: 0 });
};

/** Runs the story and remembers every moment in which something had just become durable, on the node or in the store. */
const momentsOf = async (root: string): Promise<readonly Moment[]> => {
    await using bench = new Bench();
    const moments: Moment[] = [];
    const saved: Saved = {};
    const remember = (after: string) => {
        const directory = `${root}/${moments.length}`;
        cpSync(bench.directory, directory, { recursive: true });
        moments.push({ directory, node: bench.node.copy(), saved: { ...saved }, after });
    };
    bench.store.onCommit(() => remember(`commit after ${bench.node.did.at(-1) ?? "nothing"}`));
    bench.node.step = () => remember(`step ${bench.node.did.at(-1)}`);
    await story(bench, saved);
    return moments;
};

/** The next run of the program: what the engine knows is read and brought up to date, the rest is created. */
const nextUp = async (bench: Bench, saved: Saved): Promise<{ readonly session: Session; readonly disk: Life; readonly db: Life }> => {
    const session = bench.session();
    session.seen = [saved.tenant, saved.disk, saved.db].flatMap((id) => id ?? []);
    if (saved.tenant === undefined || saved.machine === undefined) await session.nodeOf();
    else Object.assign(session, { tenant: saved.tenant, machine: saved.machine });
    const disk = saved.disk ?? (await session.create("ZMount", "disk")).life;
    expect(await session.read(disk)).toMatchObject({ found: true });
    expect((await session.update(disk, "ZMount", "disk", { size: "40MiB" })).state).toBe("ready");
    const mount = session.idOf({ life: disk });
    const db = saved.db ?? (await session.create("Zdb", "db", { spec: { mount } })).life;
    expect(await session.read(db)).toMatchObject({ found: true, state: "ready" });
    return { session, disk, db };
};

let root = "";
beforeEach(() => {
    root = mkdtempSync(`${tmpdir()}/zfa-moments-`);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** The program's next run after a moment puts everything in order, and its removal leaves nothing. */
const judge = async ({ directory, node, saved, after }: Moment): Promise<void> => {
    await using bench = new Bench({ directory, node });
    const removed = saved.tenant !== undefined && bench.store.tenants.get(saved.tenant) === undefined;
    await bench.clock.advance(SESSION_GRACE_MS);
    // The tenant was removed and nobody heard of it: the engine tries once more, and is told that it is gone.
    if (removed) return;
    const isThere = (life: Life | undefined) => life !== undefined && bench.store.lives.get(life)?.desired === "present";
    const { disk: knownDisk, db: knownDb, ...ofNode } = saved;
    const known: Saved = {
        ...ofNode,
        ...(knownDisk && isThere(knownDisk) ? { disk: knownDisk } : {}),
        ...(knownDb && isThere(knownDb) && isThere(knownDisk) ? { db: knownDb } : {}),
    };
    const isKept = () => [...bench.node.pieces.values()].some(({ data }) => data === KEPT) || [...bench.node.trash.values()].includes(KEPT);
    const wasWritten = isKept();

    const { session, disk, db } = await nextUp(bench, known);
    expect([...bench.node.pieces.keys()].sort(), after).toEqual([disk, db].sort());
    const places = bench.store.trash.all().map(({ place }) => place);
    expect(places, after).toEqual(expect.arrayContaining([...bench.node.trash.keys()]));
    const purged = bench.store.events.latest(99).some(({ what }) => what === "purged");
    expect(isKept() || purged, after).toBe(wasWritten || purged);

    await session.remove(db, { trashMs: 0 });
    await session.remove(disk, { trashMs: 0 });
    await bench.clock.leap(2 * 86_400_000);
    await session.ask("node.delete", { caller: session.caller, trashMs: 0 });
    await session.end();
    expect(bench.node.pieces.size, after).toBe(0);
    expect(bench.node.trash.size, after).toBe(0);
    expect(bench.left, after).toBeGreaterThan(0);
};

describe("a power cut at any moment", () => {
    it("leaves nothing that the next run does not bring in order, and loses no data", { timeout: 120_000 }, async () => {
        const moments = await momentsOf(root);
        expect(moments.length).toBeGreaterThan(40);
        for (const moment of moments) await judge(moment);
    });
});
