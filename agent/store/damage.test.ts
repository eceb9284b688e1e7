import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Bench, madeWithData } from "../../test/agent/fakes/bench.ts";
import { ManualClock } from "../../test/agent/fakes/manual-clock.ts";
import { releases, restoreStore } from "../../test/fixtures/releases/releases.ts";
import { CorruptStore } from "./failures.ts";
import { migrations } from "./migrations.ts";
import { sealWith } from "./sealing.ts";
import { openStore, type Store } from "./store.ts";

const FLIPS = 400;
const TABLES = ["meta", "sessions", "tenants", "lives", "trash", "events"];

let directory = "";
beforeEach(() => {
    directory = mkdtempSync(`${tmpdir()}/zfa-damage-`);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A store with something in every table, as a stopped agent leaves it; and what opens it again. */
const stopped = async () => {
    await using bench = new Bench();
    const { session, db } = await madeWithData(bench);
    await session.remove(db.life);
    await session.end();
    await bench.agent.stop();
    const key = readFileSync(bench.places.keyFile);
    const bytes = readFileSync(bench.places.storeFile);
    const path = `${directory}/store.db`;
    const write = (content: Uint8Array) => {
        for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
        writeFileSync(path, content);
    };
    write(bytes);
    return { bytes, path, write, open: () => openStore(path, sealWith(key), new ManualClock()) };
};

const everythingIn = (store: Store) => ({
    machine: store.machine,
    leaving: store.leaving(),
    tenants: store.tenants.all(),
    lives: store.lives.all(),
    trash: store.trash.all(),
    events: store.events.latest(1_000),
    sessions: store.lives.all().map(({ session }) => store.sessions.epoch(session)),
});

const contentOf = (open: () => Store) => {
    const store = open();
    try {
        return everythingIn(store);
    } finally {
        store.close();
    }
};

describe("a store of which something was changed by nobody", () => {
    it.each(TABLES)("is damaged when that is in the table %s, though SQLite finds nothing wrong", async (table) => {
        const { bytes, path, write, open } = await stopped();
        const look = new DatabaseSync(path);
        const columns = look.prepare(`select name, type from pragma_table_info('${table}') where name <> 'checksum'`).all();
        const row = look.prepare(`select * from ${table} limit 1`).get();
        look.close();
        for (const { name, type } of columns) {
            write(bytes);
            const is = row?.[String(name)];
            const other = { INTEGER: Number(is) + 70, TEXT: `${is}x`, BLOB: Buffer.from("other") }[String(type)] ?? null;
            const db = new DatabaseSync(path);
            db.prepare(`update ${table} set ${name} = ? where rowid = (select min(rowid) from ${table})`).run(other);
            expect(db.prepare("pragma integrity_check").get()).toEqual({ integrity_check: "ok" });
            db.close();
            expect(open, `${table}.${name}`).toThrow(CorruptStore);
        }
        write(bytes);
        expect(contentOf(open).lives).toHaveLength(1);
    });

    it("is damaged when a row is no longer there as it was, or its tables are other ones", async () => {
        const { path, open } = await stopped();
        const db = new DatabaseSync(path);
        db.exec("update events set checksum = null");
        db.close();
        expect(open).toThrow(/a row of its table events is not as it was written/);
        const other = await stopped();
        const changed = new DatabaseSync(other.path);
        changed.exec("create index more on events (at)");
        changed.close();
        expect(other.open).toThrow(/its tables are not those of schema/);
    });

    // A file is opened and read whole for each of them: half a minute is not enough on a busy machine.
    it("is damaged or the same, wherever a bit of the file was turned", { timeout: 180_000 }, async () => {
        const { bytes, write, open } = await stopped();
        const before = contentOf(open);
        const seed = Number(process.env.ZEROFORM_SEED ?? Math.floor(Math.random() * 2 ** 31));
        let refused = 0;
        for (let flip = 0; flip < FLIPS; flip++) {
            const at = Math.floor(((flip + (seed % 997) / 997) / FLIPS) * bytes.length);
            const bit = 1 << ((seed + flip) % 8);
            const turned = Buffer.from(bytes);
            turned.writeUInt8(turned.readUInt8(at) ^ bit, at);
            write(turned);
            try {
                expect(contentOf(open), `seed ${seed}, bit ${bit} of byte ${at}`).toEqual(before);
            } catch (failure) {
                if (!(failure instanceof CorruptStore)) throw failure;
                refused++;
            }
        }
        expect(refused, `seed ${seed}`).toBeGreaterThan(0);
    });

    it("says so in the words of a damaged file, also when an agent that runs comes upon it", async () => {
        await using bench = new Bench();
        const { session } = await madeWithData(bench);
        const db = new DatabaseSync(bench.places.storeFile);
        db.exec("update tenants set name = 'other'");
        db.close();
        const words = {
            code: "STORE_CORRUPT",
            message: expect.stringContaining("is damaged: a row of its table tenants"),
            hint: /Put back a sound copy/,
        };
        const told = await session.create("ZMount", "other").catch((failure: unknown) => failure);
        expect(told).toMatchObject({ ...words, hint: expect.stringMatching(words.hint) });
        await bench.restart();
        expect(bench.agent.welcome(undefined)).toMatchObject({ store: "corrupt" });
        const again = await session
            .next()
            .create("ZMount", "other")
            .catch((failure: unknown) => failure);
        expect(again).toMatchObject({ ...words, hint: expect.stringMatching(words.hint) });
    });
});

describe("a store of an older release", () => {
    it.each(releases)("that $version left has checksums once it was opened", (release) => {
        using files = restoreStore(release);
        const open = () => openStore(`${files.path}/store.db`, sealWith(readFileSync(`${files.path}/node.key`)), new ManualClock());
        contentOf(open);
        const db = new DatabaseSync(`${files.path}/store.db`);
        db.exec("update lives set made = 1 - made");
        db.close();
        expect(open).toThrow(CorruptStore);
    });

    it.each(releases)("that $version left is refused when its tables were changed, before anything is made of them", (release) => {
        using files = restoreStore(release);
        const db = new DatabaseSync(`${files.path}/store.db`);
        db.exec("alter table lives rename column made to mode");
        db.close();
        const open = () => openStore(`${files.path}/store.db`, sealWith(readFileSync(`${files.path}/node.key`)), new ManualClock());
        expect(open).toThrow(CorruptStore);
    });

    it("gets all steps to today's schema or none", () => {
        const path = `${directory}/old.db`;
        const db = new DatabaseSync(path);
        db.exec(migrations[0] ?? "");
        db.exec("pragma user_version = 1; insert into meta values ('machine', 'm'); create table trash_more (a)");
        db.close();
        expect(() => openStore(path, sealWith(Buffer.alloc(32)), new ManualClock())).toThrow(CorruptStore);
        const after = new DatabaseSync(path);
        expect(after.prepare("pragma user_version").get()).toEqual({ user_version: 1 });
        after.close();
    });
});
