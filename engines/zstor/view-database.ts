import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { StoreError } from "./object-api.ts";

export type Row = Record<string, unknown>;

/** Raised whenever the tables below change: an older view is made again. */
const VERSION = "3";

const FACTS = "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID";
/** Sums and counts are kept by triggers: to ask a table of a million objects for them takes seconds. */
const TABLES = `
CREATE TABLE layouts (id INTEGER PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE stripes (id TEXT PRIMARY KEY, layout INTEGER NOT NULL, refs INTEGER NOT NULL, live INTEGER NOT NULL, stored INTEGER NOT NULL,
    record BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE stripe_counts (layout INTEGER PRIMARY KEY, number INTEGER NOT NULL);
CREATE TRIGGER count_stripes AFTER UPDATE OF refs, layout ON stripes WHEN OLD.layout <> NEW.layout OR (OLD.refs > 0) <> (NEW.refs > 0) BEGIN
    UPDATE stripe_counts SET number = number - 1 WHERE layout = OLD.layout AND OLD.refs > 0;
    INSERT INTO stripe_counts SELECT NEW.layout, 1 WHERE NEW.refs > 0 ON CONFLICT (layout) DO UPDATE SET number = number + 1;
END;
CREATE INDEX stripes_by_layout ON stripes (layout);
CREATE INDEX stripes_by_live ON stripes (live) WHERE refs > 0;
CREATE INDEX garbage ON stripes (id) WHERE refs = 0;
CREATE TABLE extents (object TEXT, generation INTEGER, first_chunk INTEGER, stripe TEXT NOT NULL, bytes INTEGER NOT NULL, chunks BLOB NOT NULL,
    PRIMARY KEY (object, generation, first_chunk)) WITHOUT ROWID;
CREATE INDEX extents_by_stripe ON extents (stripe);
CREATE TABLE generations (object TEXT, generation INTEGER, name TEXT NOT NULL, size INTEGER NOT NULL, created INTEGER NOT NULL,
    removed INTEGER NOT NULL, wrapping INTEGER NOT NULL, wrapped BLOB NOT NULL, PRIMARY KEY (object, generation)) WITHOUT ROWID;
CREATE TABLE names (name TEXT PRIMARY KEY, object TEXT NOT NULL, generation INTEGER NOT NULL, removed INTEGER NOT NULL,
    size INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE drafts (object TEXT, generation INTEGER, PRIMARY KEY (object, generation)) WITHOUT ROWID;
CREATE TABLE totals (id INTEGER PRIMARY KEY CHECK (id = 1), objects INTEGER NOT NULL, bytes INTEGER NOT NULL, stripes INTEGER NOT NULL,
    stored INTEGER NOT NULL, live INTEGER NOT NULL);
INSERT INTO totals VALUES (1, 0, 0, 0, 0, 0);
CREATE TRIGGER add_name AFTER INSERT ON names WHEN NEW.removed = 0 BEGIN
    UPDATE totals SET objects = objects + 1, bytes = bytes + NEW.size; END;
CREATE TRIGGER drop_name AFTER DELETE ON names WHEN OLD.removed = 0 BEGIN
    UPDATE totals SET objects = objects - 1, bytes = bytes - OLD.size; END;
CREATE TRIGGER add_stripe AFTER INSERT ON stripes BEGIN
    UPDATE totals SET stripes = stripes + 1, stored = stored + NEW.stored; END;
CREATE TRIGGER drop_stripe AFTER DELETE ON stripes BEGIN
    UPDATE totals SET stripes = stripes - 1, stored = stored - OLD.stored, live = live - OLD.live; END;
CREATE TRIGGER change_live AFTER UPDATE OF live ON stripes BEGIN
    UPDATE totals SET live = live + NEW.live - OLD.live; END;
`;
const TABLE_NAMES = ["layouts", "stripes", "stripe_counts", "extents", "generations", "names", "drafts", "totals"];

/**
 * The SQLite file of the view. Whatever SQLite refuses is a `StoreError` with what to do: nothing but this file is concerned, and all
 * that it holds can be had again from the metadata replicas.
 */
export class ViewDatabase {
    private readonly path: string;
    private readonly identity: string;
    private readonly database: DatabaseSync;
    private readonly statements = new Map<string, StatementSync>();

    /** `path` as SQLite takes it; `identity` is the store's: a view of another store or version is emptied. */
    constructor(path: string, identity: string) {
        this.path = path;
        this.identity = identity;
        this.database = this.told(() => new DatabaseSync(path));
        try {
            this.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384");
            this.exec(FACTS);
            if (this.fact("identity") === `${VERSION} ${identity}`) return;
            this.transaction(() => {
                this.clear();
                this.setFact("identity", `${VERSION} ${identity}`);
            });
        } catch (error) {
            this.database.close();
            throw error;
        }
    }

    close(): void {
        this.database.close();
    }

    exec(sql: string): void {
        this.told(() => this.database.exec(sql));
    }

    /** All of it or nothing. */
    transaction(work: () => void): void {
        this.exec("BEGIN");
        try {
            work();
            this.exec("COMMIT");
        } catch (error) {
            // A full disk has ended it already.
            if (this.database.isTransaction) this.exec("ROLLBACK");
            throw error;
        }
    }

    /** A view of an older version has other tables of the same names. */
    clear(): void {
        for (const table of TABLE_NAMES) this.exec(`DROP TABLE IF EXISTS ${table}`);
        this.exec(TABLES);
        this.exec("DELETE FROM facts");
    }

    fact(name: string): string | undefined {
        const row = this.one("SELECT value FROM facts WHERE name = ?", name);
        return row && String(row.value);
    }

    setFact(name: string, value: string): void {
        this.run("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, value);
    }

    /** Answers how many rows it has changed. */
    run(sql: string, ...values: SQLInputValue[]): number {
        return Number(this.told(() => this.prepared(sql).run(...values)).changes);
    }

    one(sql: string, ...values: SQLInputValue[]): Row | undefined {
        return this.told(() => this.prepared(sql).get(...values) as Row | undefined);
    }

    all(sql: string, ...values: SQLInputValue[]): Row[] {
        return this.told(() => this.prepared(sql).all(...values) as Row[]);
    }

    /**
     * The tables as they are now, to be read beside whatever is applied from now on; whoever has it closes it. Undefined where that cannot be:
     * in memory, and in a file system that cannot do a log beside the file.
     */
    frozen(): ViewDatabase | undefined {
        if (this.path === ":memory:" || this.one("PRAGMA journal_mode")?.journal_mode !== "wal") return undefined;
        const frozen = new ViewDatabase(this.path, this.identity);
        frozen.exec("BEGIN");
        // A transaction sees what there is when it first reads.
        frozen.fact("sequence");
        return frozen;
    }

    /** Without holding all rows; nothing may be applied meanwhile. */
    *each(sql: string): Generator<Row> {
        const rows = this.told(() => this.database.prepare(sql).iterate() as Iterator<Row>);
        for (let next = this.told(() => rows.next()); !next.done; next = this.told(() => rows.next())) yield next.value;
    }

    private prepared(sql: string): StatementSync {
        let statement = this.statements.get(sql);
        if (statement === undefined) {
            statement = this.database.prepare(sql);
            this.statements.set(sql, statement);
        }
        return statement;
    }

    private told<T>(work: () => T): T {
        try {
            return work();
        } catch (error) {
            const code = codeOf(error);
            if (code === undefined || !(error instanceof Error)) throw error;
            throw new StoreError("view", `the front end's view ${this.path} cannot be used: ${error.message}. ${ADVICE[code]}`);
        }
    }
}

/** Result codes of SQLite that are about the file and its disk; others are mistakes of ours. */
const ADVICE: Readonly<Record<number, string>> = {
    5: "Another process uses it: end that one.",
    8: "Make it and its directory writable.",
    10: "Look after the disk; nothing is lost with this file, it is made again from the metadata when it is removed.",
    11: "Remove it: it is made again from the metadata.",
    13: "Make room on its disk: it goes on by itself then, and nothing that was acknowledged is lost.",
    14: "Make its directory, with the right to write there.",
    26: "Remove it: it is made again from the metadata.",
};

function codeOf(error: unknown): number | undefined {
    if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
    // Extended codes have the plain one in their lowest byte.
    const code = error.errcode & 0xff;
    return code in ADVICE ? code : undefined;
}
