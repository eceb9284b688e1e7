import { chmodSync, closeSync, openSync } from "node:fs";
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { ZeroformError } from "../../protocol/errors.ts";
import { migrations, SCHEMA_VERSION } from "./migrations.ts";

export type Row = Readonly<Record<string, SQLOutputValue>>;

/** Primary result codes of SQLite that mean something of their own here. */
const SQLITE_PERM = 3;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

/** The file cannot be trusted: what it says, or why it says nothing. */
export class CorruptStore extends Error {
    override readonly name = "CorruptStore";
}

/** A SQLite file in which every finished transaction survives a power cut. */
export class Database {
    readonly #db: DatabaseSync;
    readonly #statements = new Map<string, StatementSync>();
    readonly #afterRollback: (() => void)[] = [];
    readonly #afterCommit: (() => void)[] = [];
    #depth = 0;

    private constructor(db: DatabaseSync) {
        this.#db = db;
    }

    /** Opens the file, makes it when it is not there, checks all of it and brings it to today's schema. Throws CorruptStore. */
    static open(path: string): Database {
        try {
            closeSync(openSync(path, "a", 0o600));
            chmodSync(path, 0o600);
            const db = new DatabaseSync(path);
            try {
                return new Database(checked(db)).#migrated();
            } catch (failure) {
                db.close();
                throw failure;
            }
        } catch (failure) {
            if (failure instanceof CorruptStore) throw failure;
            if ([SQLITE_CORRUPT, SQLITE_NOTADB].includes(codeOf(failure))) throw new CorruptStore(wordsOf(failure), { cause: failure });
            throw readable(failure);
        }
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

    /** All of it or nothing; what is inside of another one belongs to that. */
    transaction<T>(act: () => T): T {
        if (this.#depth > 0) return act();
        this.#depth++;
        try {
            this.#db.exec("begin immediate");
            const answer = act();
            this.#db.exec("commit");
            for (const hear of this.#afterCommit) hear();
            return answer;
        } catch (failure) {
            this.#rollback();
            throw readable(failure);
        } finally {
            this.#depth--;
        }
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
        if (this.#db.isOpen) this.#db.close();
    }

    #prepare(sql: string): StatementSync {
        const known = this.#statements.get(sql);
        if (known) return known;
        const statement = this.#db.prepare(sql);
        this.#statements.set(sql, statement);
        return statement;
    }

    #rollback(): void {
        try {
            this.#db.exec("rollback");
        } catch {
            // SQLite has rolled back itself after some failures.
        }
        for (const forget of this.#afterRollback) forget();
    }

    #migrated(): Database {
        const version = Number(this.get("pragma user_version")?.user_version);
        if (version > SCHEMA_VERSION)
            throw new CorruptStore(`it was written by a newer agent (schema ${version}, known ${SCHEMA_VERSION})`);
        for (const [index, sql] of migrations.entries()) {
            if (index < version) continue;
            this.transaction(() => {
                this.#db.exec(sql);
                this.#db.exec(`pragma user_version = ${index + 1}`);
            });
        }
        return this;
    }
}

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

/** What the system says where it lets nobody write. */
const UNWRITABLE: readonly string[] = ["EACCES", "EPERM", "EROFS"];

const codeOf = (failure: unknown): number =>
    failure instanceof Error && "errcode" in failure && typeof failure.errcode === "number" ? failure.errcode & 0xff : 0;

const wordsOf = (failure: unknown): string => (failure instanceof Error ? failure.message : String(failure));

/** A write that failed because of the disk, in words for the user; all else stays what it is. */
const readable = (failure: unknown): unknown => {
    const code = codeOf(failure);
    const system = failure instanceof Error && "code" in failure ? String(failure.code) : "";
    if ([SQLITE_PERM, SQLITE_READONLY, SQLITE_CANTOPEN].includes(code) || UNWRITABLE.includes(system))
        return new ZeroformError(
            {
                code: "STORE_CORRUPT",
                message: `the agent cannot write its desired state: /var/lib/zeroform or a file in it is read-only (${wordsOf(failure)})`,
                hint: "Make it writable again (`findmnt -T`, `lsattr`); nothing was changed, and the agent goes on by itself.",
            },
            failure,
        );
    if (code === SQLITE_FULL || system === "ENOSPC" || system === "EDQUOT")
        return new ZeroformError(
            {
                code: "DISK_FULL",
                message: "the agent could not write its desired state: the node's disk is full",
                hint: "Make room under /var/lib/zeroform and try again.",
            },
            failure,
        );
    if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB || code === SQLITE_IOERR)
        return new ZeroformError(
            {
                code: "STORE_CORRUPT",
                message: `the agent could not write its desired state: ${wordsOf(failure)}`,
                hint: "Look at the node's disk (`journalctl -k`), then restart zeroform-agent.",
            },
            failure,
        );
    return failure;
};
