import { chmodSync, closeSync, openSync } from "node:fs";
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { CHECKSUM, checksumOf, isSound } from "./checksum.ts";
import { asOpening, CorruptStore, readable, untrusted } from "./failures.ts";
import { CHECKSUMS_SINCE, migrations, SCHEMA_VERSION, schemaOf } from "./migrations.ts";

export type Row = Readonly<Record<string, SQLOutputValue>>;

/** A table's columns by name; its checksum is nobody's business but the database's. */
export type Columns = Readonly<Record<string, SQLInputValue>>;

/** A SQLite file in which every finished transaction survives a power cut, and no row passes that is not as it was written. */
export class Database {
    readonly #db: DatabaseSync;
    readonly #path: string;
    readonly #statements = new Map<string, StatementSync>();
    readonly #afterRollback: (() => void)[] = [];
    readonly #afterCommit: (() => void)[] = [];
    #depth = 0;
    /** Writes that share the next flush of the disk; undefined when none wait. */
    #waiting: PromiseWithResolvers<void> | undefined;
    /** How often waiting writes were lost, and why the last time. */
    #losses = 0;
    #loss: Error | undefined;
    /** What is remembered beside the file could not be read anew after a rollback. */
    #isStale = false;

    private constructor(db: DatabaseSync, path: string) {
        this.#db = db;
        this.#path = path;
    }

    /** Opens the file, makes it when it is not there, checks all of it and brings it to today's schema. Throws CorruptStore. */
    static open(path: string): Database {
        try {
            closeSync(openSync(path, "a", 0o600));
            chmodSync(path, 0o600);
            const db = new DatabaseSync(path);
            try {
                return new Database(checked(db), path).#migrated();
            } catch (failure) {
                db.close();
                throw failure;
            }
        } catch (failure) {
            throw asOpening(failure);
        }
    }

    /** Rows as they were written; `clause` is what follows the table's name in a `select`. Throws when one is not. */
    rows(table: string, clause = "", ...values: readonly SQLInputValue[]): readonly Row[] {
        const rows = this.all(`select * from ${table} ${clause}`, ...values);
        if (rows.every((row) => isSound(table, row))) return rows;
        throw untrusted(`${this.#path} is damaged: ${unsound(table)}`);
    }

    row(table: string, clause: string, ...values: readonly SQLInputValue[]): Row | undefined {
        return this.rows(table, clause, ...values).at(0);
    }

    /** Writes a whole row, in the place of the one with the same key. */
    put(table: string, columns: Columns): void {
        const names = [...Object.keys(columns), CHECKSUM];
        const sql = `insert or replace into ${table} (${names.join(", ")}) values (${names.map(() => "?").join(", ")})`;
        this.transaction(() => this.run(sql, ...Object.values(columns), checksumOf(table, columns as Row)));
    }

    /** The number that comes after every one that this table ever gave. */
    nextNumber(table: string): number {
        return 1 + Number(this.get("select seq from sqlite_sequence where name = ?", table)?.seq ?? 0);
    }

    all(sql: string, ...values: readonly SQLInputValue[]): readonly Row[] {
        return this.#prepare(sql).all(...values) as readonly Row[];
    }

    get(sql: string, ...values: readonly SQLInputValue[]): Row | undefined {
        return this.#prepare(sql).get(...values) as Row | undefined;
    }

    run(sql: string, ...values: readonly SQLInputValue[]): void {
        this.#prepare(sql).run(...values);
    }

    /** All of it or nothing, and on the disk when it returns; what is inside of another one belongs to that. */
    transaction<T>(act: () => T): T {
        if (this.#depth > 0) return act();
        const answer = this.soon(act);
        this.#commit();
        return answer;
    }

    /**
     * The same, but on the disk a moment later, together with all that is written until then: one flush serves many callers. Whoever tells
     * somebody of it, or does something because of it, waits for `durable` first. What comes after sees it at once.
     */
    soon<T>(act: () => T): T {
        if (this.#depth > 0) return act();
        this.#requireFresh();
        this.#depth++;
        try {
            this.#begin();
            this.#db.exec("savepoint one");
            const answer = act();
            this.#db.exec("release one");
            return answer;
        } catch (failure) {
            this.#takeBack();
            throw readable(failure);
        } finally {
            this.#depth--;
        }
    }

    /** Resolves once everything that has been written is on the disk; rejects when it could not be, and is lost. */
    async durable(): Promise<void> {
        this.#requireFresh();
        await this.#waiting?.promise;
    }

    /**
     * Runs something that writes, and answers when that is on the disk. Rejects when anything was lost meanwhile, whoever had written it: what
     * is written is seen at once, so work that wrote nothing may have been decided by it, and much of a call's work is written by others (the
     * reconciler says that it is ready). The caller asks again, and finds what it had begun.
     */
    async durably<T>(act: () => Promise<T>): Promise<T> {
        this.#requireFresh();
        const before = this.#losses;
        const [outcome] = await Promise.allSettled([act()]);
        const [kept] = await Promise.allSettled([this.durable()]);
        // What was lost matters more than what became of the work.
        if (this.#losses !== before && this.#loss) throw this.#loss;
        if (kept.status === "rejected") throw kept.reason;
        if (outcome.status === "rejected") throw outcome.reason;
        return outcome.value;
    }

    /** For what is remembered beside the file: it is wrong after a rollback. */
    onRollback(forget: () => void): void {
        this.#afterRollback.push(forget);
    }

    onCommit(hear: () => void): void {
        this.#afterCommit.push(hear);
    }

    close(): void {
        this.#statements.clear();
        try {
            if (this.#waiting) this.#commit();
        } catch {
            // Whoever waits for it hears of it.
        }
        if (this.#db.isOpen) this.#db.close();
    }

    #prepare(sql: string): StatementSync {
        const known = this.#statements.get(sql);
        if (known) return known;
        const statement = this.#db.prepare(sql);
        this.#statements.set(sql, statement);
        return statement;
    }

    #begin(): void {
        if (this.#waiting) return;
        this.#db.exec("begin immediate");
        const waiting = Promise.withResolvers<void>();
        // Nobody may be waiting for it.
        waiting.promise.catch(() => undefined);
        this.#waiting = waiting;
        setImmediate(() => {
            if (this.#waiting !== waiting) return;
            try {
                this.#commit();
            } catch {
                // Whoever waits for it hears of it, and nobody else has to.
            }
        });
    }

    /** Everything that waits, at once. */
    #commit(): void {
        const waiting = this.#waiting;
        try {
            this.#db.exec("commit");
        } catch (failure) {
            throw this.#lose(failure);
        }
        this.#waiting = undefined;
        for (const hear of this.#afterCommit) hear();
        waiting?.resolve();
    }

    /** What has just failed alone is undone; when SQLite cannot do that, all that waits is lost with it. */
    #takeBack(): void {
        try {
            this.#db.exec("rollback to one; release one");
            this.#forget();
        } catch (failure) {
            this.#lose(failure);
        }
    }

    /** What is remembered is read anew, now or before anything else is done. */
    #forget(): void {
        this.#isStale = true;
        try {
            this.#requireFresh();
        } catch {
            // Whoever comes next tries it again, and hears of it.
        }
    }

    /** Throws when what is remembered may be what was lost. */
    #requireFresh(): void {
        if (!this.#isStale) return;
        try {
            for (const forget of this.#afterRollback) forget();
        } catch (failure) {
            throw readable(failure);
        }
        this.#isStale = false;
    }

    #lose(failure: unknown): Error {
        const reason = readable(failure);
        const error = reason instanceof Error ? reason : new Error(String(reason));
        const waiting = this.#waiting;
        this.#waiting = undefined;
        try {
            this.#db.exec("rollback");
        } catch {
            // SQLite has rolled back itself after some failures.
        }
        this.#forget();
        if (waiting) {
            this.#losses++;
            this.#loss = error;
            waiting.reject(error);
        }
        return error;
    }

    /** A migration may change any row: what was sound before it is sound after it. */
    #migrated(): Database {
        const version = Number(this.get("pragma user_version")?.user_version);
        if (version > SCHEMA_VERSION)
            throw new CorruptStore(`it was written by a newer agent (schema ${version}, known ${SCHEMA_VERSION})`);
        if (version > 0) this.#judgeTables(version);
        if (version >= CHECKSUMS_SINCE) this.#judgeRows();
        if (version === SCHEMA_VERSION) return this;
        this.transaction(() => {
            for (const sql of migrations.slice(version)) this.#db.exec(sql);
            for (const table of this.#tables()) this.#sumAnew(table);
            this.#db.exec(`pragma user_version = ${SCHEMA_VERSION}`);
        });
        return this;
    }

    /** The tables are those of their version, to the letter: a default or a rule that was changed would change what is written next. */
    #judgeTables(version: number): void {
        const model = new DatabaseSync(":memory:");
        try {
            for (const sql of migrations.slice(0, version)) model.exec(sql);
            if (schemaOf(model) !== schemaOf(this.#db)) throw new CorruptStore(`its tables are not those of schema ${version}`);
        } finally {
            model.close();
        }
    }

    #judgeRows(): void {
        for (const table of this.#tables())
            if (!this.all(`select * from ${table}`).every((row) => isSound(table, row))) throw new CorruptStore(unsound(table));
    }

    #sumAnew(table: string): void {
        for (const { rowid, ...row } of this.#db.prepare(`select rowid as rowid, * from ${table}`).all() as readonly Row[])
            this.#db.prepare(`update ${table} set ${CHECKSUM} = ? where rowid = ?`).run(checksumOf(table, row), rowid ?? null);
    }

    #tables(): readonly string[] {
        const found = this.#db.prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'").all();
        return found.map(({ name }) => String(name));
    }
}

const unsound = (table: string): string => `a row of its table ${table} is not as it was written`;

const checked = (db: DatabaseSync): DatabaseSync => {
    db.exec("pragma journal_mode = wal");
    db.exec("pragma synchronous = full");
    // Somebody may look into it with a tool of their own.
    db.exec("pragma busy_timeout = 5000");
    // A few hundred rows: the cache that SQLite takes by default would be the agent's largest one.
    db.exec("pragma cache_size = -256");
    const found = db.prepare("pragma integrity_check").all() as readonly Row[];
    const faults = found.map((row) => String(row.integrity_check)).filter((words) => words !== "ok");
    if (faults.length > 0) throw new CorruptStore(faults.slice(0, 3).join("; "));
    return db;
};
