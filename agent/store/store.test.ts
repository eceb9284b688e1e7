import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mintLife, mintSessionId, mintTenantId } from "../../protocol/ids.ts";
import { ManualClock } from "../../test/agent/fakes/manual-clock.ts";
import { CorruptStore } from "./failures.ts";
import type { LifeRow } from "./lives.ts";
import { migrations, SCHEMA_VERSION } from "./migrations.ts";
import { sealWith } from "./sealing.ts";
import { openStore } from "./store.ts";

let directory = "";
beforeEach(() => {
    directory = mkdtempSync(`${tmpdir()}/zfa-store-`);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const key = Buffer.alloc(32, 1);
const path = () => `${directory}/store.db`;
const open = () => openStore(path(), sealWith(key), new ManualClock());

const row = (more: Partial<LifeRow> = {}): LifeRow => ({
    life: mintLife(),
    tenant: mintTenantId(),
    kind: "Zdb",
    urn: "urn",
    name: "db",
    spec: { size: "1GiB", password: "very-secret-password" },
    generated: ["password"],
    uses: { mount: mintLife() },
    desired: "present",
    confirmed: false,
    session: mintSessionId(),
    operation: mintSessionId(),
    answered: false,
    epoch: 1,
    createdAt: 1,
    made: false,
    work: "make",
    state: "unfinished",
    since: 1,
    reasons: ["it is being made"],
    ...more,
});

describe("the store", () => {
    it("completes what an older release has written by today's defaults", () => {
        const store = open();
        store.lives.put(row({ spec: { size: "1GiB", public: true } }));
        store.close();
        const again = open();
        expect(again.lives.all().map(({ spec }) => spec)).toMatchObject([{ size: "1GiB", public: true, access: "open" }]);
        again.close();
    });

    it("tells whoever listens of an event also when another write fails before it is on the disk", async () => {
        const store = open();
        let heard = 0;
        store.events.listen(() => heard++);
        store.soon(() => store.events.add({ at: 1, what: "made", detail: "" }));
        expect(() =>
            store.transaction(() => {
                throw new Error("no");
            }),
        ).toThrow("no");
        expect(heard).toBe(0);
        await store.durable();
        expect(heard).toBe(1);
        store.close();
    });

    it("gives back what it was given, after it was closed too", () => {
        const store = open();
        const rows = [row(), row({ removal: { place: "/p", trashMs: 1, keep: false }, namedAt: 7, made: true })];
        for (const each of rows) store.lives.put(each);
        store.close();
        const again = open();
        expect(again.lives.all()).toMatchObject(
            rows.map((each) => ({ namedAt: undefined, removal: undefined, restore: undefined, ...each })),
        );
        again.close();
    });

    it("holds no secret in clear", () => {
        const store = open();
        store.lives.put(row());
        store.trash.put({ ...row(), place: "/p", removedAt: 1, cameAt: 1, keepMs: 2 });
        store.close();
        for (const suffix of ["", "-wal"]) {
            try {
                expect(readFileSync(path() + suffix).includes("very-secret")).toBe(false);
            } catch (failure) {
                expect(failure).toMatchObject({ code: "ENOENT" });
            }
        }
    });

    it("does not open secrets that were moved to another life", () => {
        const store = open();
        const [one, other] = [row(), row()];
        store.lives.put(one);
        store.lives.put(other);
        store.close();
        const db = new DatabaseSync(path());
        db.prepare("update lives set secrets = (select secrets from lives where life = ?) where life = ?").run(one.life, other.life);
        db.close();
        expect(open).toThrow(CorruptStore);
    });

    it("takes back all of a transaction that fails, in memory as well", () => {
        const store = open();
        const kept = store.lives.put(row());
        const { life } = row();
        expect(() =>
            store.transaction(() => {
                store.lives.put(row({ life }));
                store.lives.change(kept.life, { state: "ready" });
                throw new Error("power cut");
            }),
        ).toThrow("power cut");
        expect(store.lives.get(life)).toBeUndefined();
        expect(store.lives.get(kept.life)?.state).toBe("unfinished");
        store.close();
    });

    it("refuses a second life for one operation of a tenant", () => {
        const store = open();
        const first = store.lives.put(row());
        // `insert or replace` would silently put the new one in the place of the old one.
        store.lives.put(row({ tenant: first.tenant, operation: first.operation, life: first.life }));
        expect(store.lives.all()).toHaveLength(1);
        store.close();
    });

    it("with a row that cannot be read is damaged, whatever SQLite thinks of its pages", () => {
        const store = open();
        store.lives.put(row());
        store.close();
        const db = new DatabaseSync(path());
        db.exec("update lives set spec = '{' || spec");
        db.close();
        expect(open).toThrow(CorruptStore);
    });

    it("keeps a bounded number of events, the latest first", () => {
        const store = open();
        store.transaction(() => {
            for (let at = 1; at <= 1_100; at++) store.events.add({ at, what: "made", detail: `${at}` });
        });
        expect(store.events.latest(2).map(({ at }) => at)).toEqual([1_100, 1_099]);
        expect(store.events.latest(5_000)).toHaveLength(1_000);
        store.close();
    });

    it("forgets sessions that are long gone, and never gives an age twice", () => {
        const store = open();
        const first = mintSessionId();
        store.transaction(() => {
            expect(store.sessions.epoch(first)).toBe(1);
            for (let count = 0; count < 1_005; count++) store.sessions.epoch(mintSessionId());
        });
        expect(store.sessions.epoch(first)).toBe(1_007);
        store.close();
    });

    it("never forgets a session with an open channel, or one that a row names", () => {
        const store = open();
        const [running, maker] = [mintSessionId(), mintSessionId()];
        store.sessions.spare(() => [running]);
        store.transaction(() => {
            expect([running, maker].map((session) => store.sessions.epoch(session))).toEqual([1, 2]);
            store.lives.put(row({ session: maker, epoch: 3 }));
            const toucher = mintSessionId();
            expect(store.sessions.epoch(toucher)).toBe(3);
            for (let count = 0; count < 1_005; count++) store.sessions.epoch(mintSessionId());
            expect([running, maker, toucher].map((session) => store.sessions.epoch(session))).toEqual([1, 2, 3]);
        });
        store.close();
    });

    it("is brought from every released schema to today's", () => {
        for (let version = 0; version <= SCHEMA_VERSION; version++) {
            const old = new DatabaseSync(path());
            for (const sql of migrations.slice(0, version)) old.exec(sql);
            old.exec(`pragma user_version = ${version}`);
            old.close();
            const store = open();
            store.lives.put(row());
            store.close();
            rmSync(path());
        }
    });

    it("that a newer agent wrote is not touched", () => {
        const newer = new DatabaseSync(path());
        newer.exec(`pragma user_version = ${SCHEMA_VERSION + 1}`);
        newer.close();
        expect(open).toThrow(/newer agent/);
    });
});
