import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { StoreError } from "./object-api.ts";

export type Row = Record<string, unknown>;

/** Raised whenever the tables below change: an older view is made again. */
const VERSION = "2";

const TABLES = `
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS layouts (id INTEGER PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS stripes (id TEXT PRIMARY KEY, layout INTEGER NOT NULL, refs INTEGER NOT NULL, live INTEGER NOT NULL, stored INTEGER NOT NULL,
    record BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS stripes_by_layout ON stripes (layout);
CREATE INDEX IF NOT EXISTS stripes_by_live ON stripes (live) WHERE refs > 0;
CREATE INDEX IF NOT EXISTS garbage ON stripes (id) WHERE refs = 0;
CREATE TABLE IF NOT EXISTS extents (object TEXT, generation INTEGER, first_chunk INTEGER, stripe TEXT NOT NULL, bytes INTEGER NOT NULL, chunks BLOB NOT NULL,
    PRIMARY KEY (object, generation, first_chunk)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS extents_by_stripe ON extents (stripe);
CREATE TABLE IF NOT EXISTS generations (object TEXT, generation INTEGER, name TEXT NOT NULL, size INTEGER NOT NULL, created INTEGER NOT NULL,
    removed INTEGER NOT NULL, wrapping INTEGER NOT NULL, wrapped BLOB NOT NULL, PRIMARY KEY (object, generation)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names (name TEXT PRIMARY KEY, object TEXT NOT NULL, generation INTEGER NOT NULL, removed INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS drafts (object TEXT, generation INTEGER, PRIMARY KEY (object, generation)) WITHOUT ROWID;
`;
const TABLE_NAMES = ["facts", "layouts", "stripes", "extents", "generations", "names", "drafts"];

/**
 * The SQLite file of the view. Whatever SQLite refuses is a `StoreError` with what to do: nothing but this file is concerned, and all
 * that it holds can be had again from the metadata replicas.
 */
export class ViewDatabase {
    private readonly path: string;
    private readonly database: DatabaseSync;
    private readonly statements = new Map<string, StatementSync>();

    /** `path` as SQLite takes it; `identity` is the store's: a view of another store or version is emptied. */
    constructor(path: string, identity: string) {
        this.path = path;
        this.database = this.told(() => new DatabaseSync(path));
        try {
            this.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384");
            this.exec(TABLES);
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

    clear(): void {
        for (const table of TABLE_NAMES) this.exec(`DELETE FROM ${table}`);
    }

    fact(name: string): string | undefined {
        const row = this.one("SELECT value FROM facts WHERE name = ?", name);
        return row && String(row.value);
    }

    setFact(name: string, value: string): void {
        this.run("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, value);
    }

    run(sql: string, ...values: SQLInputValue[]): void {
        this.told(() => this.prepared(sql).run(...values));
    }

    one(sql: string, ...values: SQLInputValue[]): Row | undefined {
        return this.told(() => this.prepared(sql).get(...values) as Row | undefined);
    }

    all(sql: string, ...values: SQLInputValue[]): Row[] {
        return this.told(() => this.prepared(sql).all(...values) as Row[]);
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
