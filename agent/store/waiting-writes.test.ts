import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Database } from "./database.ts";

describe("writes that wait for the next flush", () => {
    let directory: string;
    let db: Database;
    let commits: number;
    const keys = (of: Pick<Database, "all">) => of.all("select key from meta where key like 'k%' order by key").map(({ key }) => key);
    /** What survives a power cut. */
    const onDisk = () => {
        const other = new DatabaseSync(`${directory}/store.db`, { readOnly: true });
        try {
            return keys({ all: (sql) => other.prepare(sql).all() as never });
        } finally {
            other.close();
        }
    };
    const put = (key: string) => db.put("meta", { key, value: "" });

    beforeEach(() => {
        directory = mkdtempSync(`${tmpdir()}/zfa-writes-`);
        db = Database.open(`${directory}/store.db`);
        commits = 0;
        db.onCommit(() => commits++);
    });
    afterEach(() => {
        db.close();
        rmSync(directory, { recursive: true, force: true });
    });

    it("are seen at once, and share one flush", async () => {
        for (const key of ["k1", "k2", "k3"]) db.soon(() => put(key));
        expect(keys(db)).toEqual(["k1", "k2", "k3"]);
        expect(onDisk()).toEqual([]);
        await db.durable();
        expect(onDisk()).toEqual(["k1", "k2", "k3"]);
        expect(commits).toBe(1);
        await db.durable();
        expect(commits).toBe(1);
    });

    it("come to the disk by themselves, with a transaction after them, and when the store is closed", async () => {
        db.soon(() => put("k1"));
        await new Promise((resolve) => setImmediate(resolve));
        expect(onDisk()).toEqual(["k1"]);
        db.soon(() => put("k2"));
        db.transaction(() => put("k3"));
        expect(onDisk()).toEqual(["k1", "k2", "k3"]);
        db.soon(() => put("k4"));
        db.close();
        expect(onDisk()).toEqual(["k1", "k2", "k3", "k4"]);
    });

    it("that fail undo themselves alone", async () => {
        let reloads = 0;
        db.onRollback(() => reloads++);
        db.soon(() => put("k1"));
        const failing = () => {
            put("k2");
            throw new Error("no");
        };
        expect(() => db.soon(failing)).toThrow("no");
        expect(() => db.transaction(failing)).toThrow("no");
        expect(reloads).toBe(2);
        expect(keys(db)).toEqual(["k1"]);
        db.soon(() => put("k3"));
        await db.durable();
        expect(onDisk()).toEqual(["k1", "k3"]);
    });

    it("that are lost together are told to all who wrote meanwhile, and to nobody after", async () => {
        db.run("create table parents (id integer primary key)");
        db.run("create table children (parent references parents (id) deferrable initially deferred)");
        const { promise: going, resolve: goOn } = Promise.withResolvers<void>();
        const early = db.durably(() => going);
        db.soon(() => put("k1"));
        // The disk's part is played by a rule that is looked at only when all is to be kept.
        db.soon(() => db.run("insert into children values (7)"));
        const own = db.durably(async () => "done");
        await expect(db.durable()).rejects.toThrow("FOREIGN KEY");
        goOn();
        await expect(early).rejects.toThrow("FOREIGN KEY");
        await expect(own).rejects.toThrow("FOREIGN KEY");
        expect(keys(db)).toEqual([]);
        expect(
            await db.durably(async () => {
                db.soon(() => put("k2"));
                return "done";
            }),
        ).toBe("done");
        expect(onDisk()).toEqual(["k2"]);
    });

    it("that are lost are told also when what is remembered cannot be read anew, and nothing is done before it is", async () => {
        db.run("create table parents (id integer primary key)");
        db.run("create table children (parent references parents (id) deferrable initially deferred)");
        let isReadable = false;
        let reloads = 0;
        db.onRollback(() => {
            if (!isReadable) throw new Error("disk I/O error");
            reloads++;
        });
        const { promise: going, resolve: goOn } = Promise.withResolvers<void>();
        const early = db.durably(() => going);
        const own = db.durably(async () => db.soon(() => db.run("insert into children values (7)")));
        await expect(own).rejects.toThrow("FOREIGN KEY");
        goOn();
        await expect(early).rejects.toThrow("FOREIGN KEY");
        expect(() => db.soon(() => put("k1"))).toThrow("disk I/O error");
        await expect(db.durable()).rejects.toThrow("disk I/O error");
        await expect(db.durably(async () => "done")).rejects.toThrow("disk I/O error");
        isReadable = true;
        expect(await db.durably(async () => "done")).toBe("done");
        db.transaction(() => put("k2"));
        expect(reloads).toBe(1);
        expect(onDisk()).toEqual(["k2"]);
    });

    it("are on the disk also before a failure is answered", async () => {
        const work = db.durably(async () => {
            db.soon(() => put("k1"));
            throw new Error("refused");
        });
        await expect(work).rejects.toThrow("refused");
        expect(onDisk()).toEqual(["k1"]);
    });
});
