import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { ByteReader, ByteWriter } from "./bytes.ts";
import {
    type ChunkPlace,
    decodeRecords,
    type ExtentRecord,
    encodeRecord,
    type LayoutRecord,
    type MetadataRecord,
    type ObjectId,
    readChunks,
    type StripeId,
    type StripeRecord,
    writeChunks,
} from "./record.ts";

/** Raised whenever the tables below change: an older view is made again. */
const VERSION = "1";

const TABLES = `
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS layouts (id INTEGER PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS stripes (id TEXT PRIMARY KEY, layout INTEGER NOT NULL, refs INTEGER NOT NULL, record BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS stripes_by_layout ON stripes (layout);
CREATE INDEX IF NOT EXISTS garbage ON stripes (id) WHERE refs = 0;
CREATE TABLE IF NOT EXISTS extents (object TEXT, generation INTEGER, first_chunk INTEGER, stripe TEXT NOT NULL, chunks BLOB NOT NULL,
    PRIMARY KEY (object, generation, first_chunk)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS extents_by_stripe ON extents (stripe);
CREATE TABLE IF NOT EXISTS generations (object TEXT, generation INTEGER, name TEXT NOT NULL, size INTEGER NOT NULL, created INTEGER NOT NULL,
    removed INTEGER NOT NULL, wrapping INTEGER NOT NULL, wrapped BLOB NOT NULL, PRIMARY KEY (object, generation)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names (name TEXT PRIMARY KEY, object TEXT NOT NULL, generation INTEGER NOT NULL, removed INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS drafts (object TEXT, generation INTEGER, PRIMARY KEY (object, generation)) WITHOUT ROWID;
`;
const TABLE_NAMES = ["facts", "layouts", "stripes", "extents", "generations", "names", "drafts"];

/** What the view has come to. */
export interface Head {
    readonly sequence: number;
    readonly hash: Buffer;
}

export interface Generation {
    readonly object: ObjectId;
    readonly generation: number;
    readonly name: string;
    readonly sizeBytes: number;
    readonly createdMs: number;
    readonly removed: boolean;
    readonly wrapping: number;
    readonly wrappedKey: Buffer;
}

export type Stripe = StripeRecord & { readonly refs: number };
export type ConfigRecord = Extract<MetadataRecord, { type: "config" }>;

type Row = Record<string, unknown>;
const STRIPES_A_PAGE = 500;

/**
 * The state that the records of the journal give. In a file of the front end or in memory; either can be thrown away. Everything is
 * synchronous: what has been applied is what the next call sees.
 */
export class View {
    private readonly database: DatabaseSync;
    private readonly statements = new Map<string, StatementSync>();
    private readonly layouts = new Map<number, LayoutRecord>();

    /** `path` as SQLite takes it; `identity` is the store's: a view of another store or version is emptied. */
    constructor(path: string, identity: string) {
        this.database = new DatabaseSync(path);
        this.database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384");
        this.database.exec(TABLES);
        if (this.fact("identity") !== `${VERSION} ${identity}`) {
            this.clear();
            this.setFact("identity", `${VERSION} ${identity}`);
        }
        for (const row of this.all("SELECT record FROM layouts")) this.remember(onlyRecord(row.record));
    }

    close(): void {
        this.database.close();
    }

    /** Undefined before the first batch. */
    get head(): Head | undefined {
        const sequence = this.fact("sequence");
        const hash = this.fact("hash");
        return sequence === undefined || hash === undefined ? undefined : { sequence: Number(sequence), hash: Buffer.from(hash, "hex") };
    }

    get config(): ConfigRecord | undefined {
        const text = this.fact("config");
        const record = text === undefined ? undefined : onlyRecord(Buffer.from(text, "hex"));
        return record?.type === "config" ? record : undefined;
    }

    /** All records of a batch and the new head, or nothing of it. */
    apply(records: Iterable<MetadataRecord>, head: Head): void {
        this.transaction(() => {
            for (const record of records) this.take(record);
            this.setFact("sequence", String(head.sequence));
            this.setFact("hash", head.hash.toString("hex"));
        });
    }

    /** Begins anew from the records of a snapshot. */
    restart(records: Iterable<MetadataRecord>): void {
        const kept = this.all("SELECT name, value FROM facts WHERE name = 'identity' OR name LIKE 'note %'");
        this.transaction(() => {
            this.clear();
            for (const { name, value } of kept) this.setFact(String(name), String(value));
            for (const record of records) this.take(record);
        });
    }

    /** The whole state as records that give it from nothing; always the same ones for the same state. */
    *records(): Generator<MetadataRecord> {
        const { config } = this;
        if (config) yield config;
        for (const layout of [...this.layouts.values()].sort((a, b) => a.id - b.id)) yield layout;
        for (const row of this.each("SELECT record, layout FROM stripes ORDER BY id")) yield stripeOf(row);
        for (const row of this.each("SELECT * FROM extents ORDER BY object, generation, first_chunk")) yield extentOf(row);
        for (const row of this.each("SELECT * FROM generations ORDER BY object, generation")) {
            const { object, generation, name, sizeBytes, createdMs, removed, wrapping, wrappedKey } = generationOf(row);
            if (removed) yield { type: "remove", object, generation, name, createdMs };
            else yield { type: "put", object, generation, name, sizeBytes, createdMs, wrapping, wrappedKey };
        }
    }

    current(name: string): Generation | undefined {
        const row = this.one(
            "SELECT g.* FROM names n JOIN generations g ON g.object = n.object AND g.generation = n.generation WHERE n.name = ?",
            name,
        );
        return row && generationOf(row);
    }

    generation(object: ObjectId, generation: number): Generation | undefined {
        const row = this.one("SELECT * FROM generations WHERE object = ? AND generation = ?", object, generation);
        return row && generationOf(row);
    }

    /** Newest first. */
    generations(object: ObjectId): Generation[] {
        return this.all("SELECT * FROM generations WHERE object = ? ORDER BY generation DESC", object).map(generationOf);
    }

    /** The largest generation that anything is known of, drafts too; 0 when there is none. */
    lastGeneration(object: ObjectId): number {
        const put = this.one("SELECT max(generation) AS last FROM generations WHERE object = ?", object);
        const draft = this.one("SELECT max(generation) AS last FROM drafts WHERE object = ?", object);
        return Math.max(Number(put?.last ?? 0), Number(draft?.last ?? 0));
    }

    /** Objects that are there, by name, after `after`. */
    list(prefix: string, after: string, limit: number): Generation[] {
        return this.all(
            `SELECT g.* FROM names n JOIN generations g ON g.object = n.object AND g.generation = n.generation
             WHERE n.removed = 0 AND n.name >= ? AND n.name > ? AND n.name <= ? AND substr(n.name, 1, ?) = ? ORDER BY n.name LIMIT ?`,
            prefix,
            after,
            `${prefix}\u{10ffff}`,
            [...prefix].length,
            prefix,
            limit,
        ).map(generationOf);
    }

    /** Extents that hold chunks from `first` to `last`, in order. */
    extents(object: ObjectId, generation: number, first: number, last: number): ExtentRecord[] {
        return this.all(
            `SELECT * FROM extents WHERE object = ? AND generation = ? AND first_chunk <= ? AND first_chunk >=
             (SELECT coalesce(max(first_chunk), 0) FROM extents WHERE object = ? AND generation = ? AND first_chunk <= ?) ORDER BY first_chunk`,
            object,
            generation,
            last,
            object,
            generation,
            first,
        ).map(extentOf);
    }

    extentsOf(stripe: StripeId): ExtentRecord[] {
        return this.all("SELECT * FROM extents WHERE stripe = ? ORDER BY object, generation, first_chunk", stripe).map(extentOf);
    }

    /** Objects with more generations than `keep`, or with nothing but a removal. */
    crowded(keep: number): ObjectId[] {
        const rows = this.all(
            "SELECT object FROM generations GROUP BY object HAVING count(*) > ? OR min(removed) = 1 ORDER BY object",
            keep,
        );
        return rows.map((row) => String(row.object) as ObjectId);
    }

    /** Generations whose data key is wrapped with another key than that. */
    wrappedOtherwise(wrapping: number, limit: number): Generation[] {
        return this.all("SELECT * FROM generations WHERE removed = 0 AND wrapping <> ? LIMIT ?", wrapping, limit).map(generationOf);
    }

    drafts(): { readonly object: ObjectId; readonly generation: number }[] {
        return this.all("SELECT object, generation FROM drafts ORDER BY object, generation").map((row) => ({
            object: String(row.object) as ObjectId,
            generation: Number(row.generation),
        }));
    }

    stripe(id: StripeId): Stripe | undefined {
        const row = this.one("SELECT record, layout, refs FROM stripes WHERE id = ?", id);
        return row && { ...stripeOf(row), refs: Number(row.refs) };
    }

    /** Stripes after that id, in order. */
    stripesAfter(id: string, limit: number): Stripe[] {
        return this.all("SELECT record, layout, refs FROM stripes WHERE id > ? ORDER BY id LIMIT ?", id, limit).map((row) => ({
            ...stripeOf(row),
            refs: Number(row.refs),
        }));
    }

    /** All of them, a page at a time: the view may change meanwhile. */
    *everyStripe(): Generator<Stripe> {
        let after = "";
        for (;;) {
            const page = this.stripesAfter(after, STRIPES_A_PAGE);
            yield* page;
            const last = page.at(-1);
            if (last === undefined) return;
            after = last.id;
        }
    }

    /** What this front end alone wants to remember; gone with the view. */
    note(name: string): string | undefined {
        return this.fact(`note ${name}`);
    }

    setNote(name: string, value: string): void {
        this.setFact(`note ${name}`, value);
    }

    /** Stripes that live in a layout, at most `limit`. */
    stripesIn(layout: number, limit: number): StripeId[] {
        return this.all("SELECT id FROM stripes WHERE layout = ? AND refs > 0 ORDER BY id LIMIT ?", layout, limit).map(idOf);
    }

    /** How many stripes are in each layout. */
    stripeCounts(): Map<number, number> {
        const rows = this.all("SELECT layout, count(*) AS number FROM stripes WHERE refs > 0 GROUP BY layout");
        return new Map(rows.map((row) => [Number(row.layout), Number(row.number)]));
    }

    garbage(limit: number): StripeId[] {
        return this.all("SELECT id FROM stripes WHERE refs = 0 ORDER BY id LIMIT ?", limit).map(idOf);
    }

    layout(id: number): LayoutRecord | undefined {
        return this.layouts.get(id);
    }

    allLayouts(): IterableIterator<LayoutRecord> {
        return this.layouts.values();
    }

    totals(): { readonly objects: number; readonly bytes: number; readonly stripes: number } {
        const objects = this.one(
            `SELECT count(*) AS number, coalesce(sum(g.size), 0) AS bytes FROM names n JOIN generations g
             ON g.object = n.object AND g.generation = n.generation WHERE n.removed = 0`,
        );
        const stripes = this.one("SELECT count(*) AS number FROM stripes");
        return { objects: Number(objects?.number), bytes: Number(objects?.bytes), stripes: Number(stripes?.number) };
    }

    private take(record: MetadataRecord): void {
        switch (record.type) {
            case "begin":
            case "snapshot":
                return;
            case "config":
                this.setFact("config", encodeRecord(record).toString("hex"));
                return;
            case "layout":
                this.run("INSERT OR REPLACE INTO layouts VALUES (?, ?)", record.id, encodeRecord(record));
                this.remember(record);
                return;
            case "stripe":
                this.run("INSERT OR IGNORE INTO stripes VALUES (?, ?, 0, ?)", record.id, record.layout, encodeRecord(record));
                return;
            case "extent":
                this.takeExtent(record);
                return;
            case "put":
                this.run(
                    "INSERT OR REPLACE INTO generations VALUES (?, ?, ?, ?, ?, 0, ?, ?)",
                    record.object,
                    record.generation,
                    record.name,
                    record.sizeBytes,
                    record.createdMs,
                    record.wrapping,
                    record.wrappedKey,
                );
                this.run("DELETE FROM drafts WHERE object = ? AND generation = ?", record.object, record.generation);
                this.point(record.name, record.object);
                return;
            case "remove":
                this.run(
                    "INSERT OR REPLACE INTO generations VALUES (?, ?, ?, 0, ?, 1, 0, x'')",
                    record.object,
                    record.generation,
                    record.name,
                    record.createdMs,
                );
                this.point(record.name, record.object);
                return;
            case "forget":
                this.forget(record.object, record.generation);
                return;
            case "relayout":
                this.run("UPDATE stripes SET layout = ? WHERE id = ?", record.layout, record.stripe);
                return;
            case "free":
                this.run("DELETE FROM stripes WHERE id = ? AND refs = 0", record.stripe);
                return;
            case "rewrap":
                this.run(
                    "UPDATE generations SET wrapping = ?, wrapped = ? WHERE object = ? AND generation = ?",
                    record.wrapping,
                    record.wrappedKey,
                    record.object,
                    record.generation,
                );
                return;
        }
    }

    private takeExtent({ object, generation, firstChunk, stripe, chunks }: ExtentRecord): void {
        const where = [object, generation, firstChunk];
        const replaced = this.one("SELECT stripe FROM extents WHERE object = ? AND generation = ? AND first_chunk = ?", ...where);
        if (replaced) this.run("UPDATE stripes SET refs = refs - 1 WHERE id = ?", String(replaced.stripe));
        const bytes = writeChunks(chunks, new ByteWriter()).bytes();
        this.run("INSERT OR REPLACE INTO extents VALUES (?, ?, ?, ?, ?)", object, generation, firstChunk, stripe, bytes);
        this.run("UPDATE stripes SET refs = refs + 1 WHERE id = ?", stripe);
        if (this.generation(object, generation) === undefined) this.run("INSERT OR IGNORE INTO drafts VALUES (?, ?)", object, generation);
    }

    private forget(object: ObjectId, generation: number): void {
        const name = this.generation(object, generation)?.name;
        for (const row of this.all("SELECT stripe FROM extents WHERE object = ? AND generation = ?", object, generation))
            this.run("UPDATE stripes SET refs = refs - 1 WHERE id = ?", String(row.stripe));
        for (const table of ["extents", "generations", "drafts"])
            this.run(`DELETE FROM ${table} WHERE object = ? AND generation = ?`, object, generation);
        if (name !== undefined) this.point(name, object);
    }

    /** Lets the name mean the newest generation that there is. */
    private point(name: string, object: ObjectId): void {
        this.run("DELETE FROM names WHERE name = ?", name);
        this.run(
            `INSERT INTO names SELECT name, object, generation, removed FROM generations WHERE object = ?
             ORDER BY generation DESC LIMIT 1`,
            object,
        );
    }

    private remember(record: MetadataRecord | undefined): void {
        if (record?.type === "layout") this.layouts.set(record.id, record);
    }

    private clear(): void {
        for (const table of TABLE_NAMES) this.database.exec(`DELETE FROM ${table}`);
        this.layouts.clear();
    }

    private transaction(work: () => void): void {
        this.database.exec("BEGIN");
        try {
            work();
            this.database.exec("COMMIT");
        } catch (error) {
            this.database.exec("ROLLBACK");
            throw error;
        }
    }

    private fact(name: string): string | undefined {
        const row = this.one("SELECT value FROM facts WHERE name = ?", name);
        return row && String(row.value);
    }

    private setFact(name: string, value: string): void {
        this.run("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, value);
    }

    private run(sql: string, ...values: SQLInputValue[]): void {
        this.prepared(sql).run(...values);
    }

    private one(sql: string, ...values: SQLInputValue[]): Row | undefined {
        return this.prepared(sql).get(...values) as Row | undefined;
    }

    private all(sql: string, ...values: SQLInputValue[]): Row[] {
        return this.prepared(sql).all(...values) as Row[];
    }

    /** Without holding all rows; nothing may be applied meanwhile. */
    private each(sql: string): Iterable<Row> {
        return this.database.prepare(sql).iterate() as Iterable<Row>;
    }

    private prepared(sql: string): StatementSync {
        let statement = this.statements.get(sql);
        if (statement === undefined) {
            statement = this.database.prepare(sql);
            this.statements.set(sql, statement);
        }
        return statement;
    }
}

function onlyRecord(bytes: unknown): MetadataRecord | undefined {
    return decodeRecords(bufferOf(bytes))[0];
}

function stripeOf(row: Row): StripeRecord {
    const record = onlyRecord(row.record);
    if (record?.type !== "stripe") throw new Error("the view holds something else where a stripe should be");
    return { ...record, layout: Number(row.layout) };
}

function extentOf(row: Row): ExtentRecord {
    const chunks: ChunkPlace[] = readChunks(new ByteReader(bufferOf(row.chunks)));
    return {
        type: "extent",
        object: String(row.object) as ObjectId,
        generation: Number(row.generation),
        firstChunk: Number(row.first_chunk),
        stripe: String(row.stripe) as StripeId,
        chunks,
    };
}

function generationOf(row: Row): Generation {
    return {
        object: String(row.object) as ObjectId,
        generation: Number(row.generation),
        name: String(row.name),
        sizeBytes: Number(row.size),
        createdMs: Number(row.created),
        removed: row.removed === 1,
        wrapping: Number(row.wrapping),
        wrappedKey: bufferOf(row.wrapped),
    };
}

function idOf(row: Row): StripeId {
    return String(row.id) as StripeId;
}

function bufferOf(value: unknown): Buffer {
    if (!(value instanceof Uint8Array)) throw new Error("the view holds something else where bytes should be");
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
