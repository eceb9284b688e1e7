import { applyRecord } from "./applying.ts";
import { ObjectWalk, type WalkPage } from "./object-walk.ts";
import type { ExtentRecord, LayoutRecord, MetadataRecord, ObjectId, StripeId, StripeRecord } from "./record.ts";
import { ViewDatabase } from "./view-database.ts";
import { configIn, recordsIn, recordsOfFrozen } from "./view-records.ts";
import { extentOf, type Generation, generationOf, idOf, onlyRecord, stripeOf } from "./view-rows.ts";

/** What the view has come to. */
export interface Head {
    readonly sequence: number;
    readonly hash: Buffer;
}

export type Stripe = StripeRecord & { readonly refs: number };
/** A stripe with the bytes of chunks in it that extents name, and with those of all its shards. */
export type StripeFill = StripeRecord & { readonly liveBytes: number; readonly storedBytes: number };
export type ConfigRecord = Extract<MetadataRecord, { type: "config" }>;

export interface Totals {
    readonly objects: number;
    /** Of the objects, as they were put. */
    readonly bytes: number;
    readonly stripes: number;
    /** Of all shards, and of what lives in them: compressed, without parity. */
    readonly storedBytes: number;
    readonly liveBytes: number;
}

const STRIPES_A_PAGE = 500;

/**
 * The state that the records of the journal give. In a file of the front end or in memory; either can be thrown away. Everything is
 * synchronous: what has been applied is what the next call sees.
 */
export class View {
    readonly database: ViewDatabase;
    private readonly layouts = new Map<number, LayoutRecord>();
    /** Objects that may have more generations than are kept, and that may have data keys under another wrapping key. */
    readonly crowded = new ObjectWalk();
    readonly wrapped = new ObjectWalk();

    constructor(path: string, identity: string) {
        this.database = new ViewDatabase(path, identity);
        this.readLayouts();
    }

    close(): void {
        this.database.close();
    }

    /** Undefined before the first batch. */
    get head(): Head | undefined {
        const sequence = this.database.fact("sequence");
        const hash = this.database.fact("hash");
        return sequence === undefined || hash === undefined ? undefined : { sequence: Number(sequence), hash: Buffer.from(hash, "hex") };
    }

    get config(): ConfigRecord | undefined {
        return configIn(this.database);
    }

    /** All records of a batch and the new head, or nothing of it. */
    apply(records: Iterable<MetadataRecord>, head: Head): void {
        this.changed(() => {
            for (const record of records) this.take(record);
            this.database.setFact("sequence", String(head.sequence));
            this.database.setFact("hash", head.hash.toString("hex"));
        });
    }

    /** Begins anew from the records of a snapshot. */
    restart(records: Iterable<MetadataRecord>): void {
        const kept = this.database.all("SELECT name, value FROM facts WHERE name = 'identity' OR name LIKE 'note %'");
        this.changed(() => {
            this.database.clear();
            this.layouts.clear();
            for (const { name, value } of kept) this.database.setFact(String(name), String(value));
            for (const record of records) this.take(record);
        });
        this.crowded.restart();
        this.wrapped.restart();
    }

    /** The whole state as records that give it from nothing; always the same ones for the same state. */
    records(): Iterable<MetadataRecord> {
        return recordsIn(this.database);
    }

    /** The same of the state as it is now, whatever is applied while they are read. */
    frozenRecords(): Iterable<MetadataRecord> {
        const frozen = this.database.frozen();
        return frozen ? recordsOfFrozen(frozen) : [...this.records()];
    }

    current(name: string): Generation | undefined {
        const row = this.database.one(
            "SELECT g.* FROM names n JOIN generations g ON g.object = n.object AND g.generation = n.generation WHERE n.name = ?",
            name,
        );
        return row && generationOf(row);
    }

    generation(object: ObjectId, generation: number): Generation | undefined {
        const row = this.database.one("SELECT * FROM generations WHERE object = ? AND generation = ?", object, generation);
        return row && generationOf(row);
    }

    /** Newest first. */
    generations(object: ObjectId): Generation[] {
        return this.database.all("SELECT * FROM generations WHERE object = ? ORDER BY generation DESC", object).map(generationOf);
    }

    /** The largest generation that anything is known of, drafts too; 0 when there is none. */
    lastGeneration(object: ObjectId): number {
        const put = this.database.one("SELECT max(generation) AS last FROM generations WHERE object = ?", object);
        const draft = this.database.one("SELECT max(generation) AS last FROM drafts WHERE object = ?", object);
        return Math.max(Number(put?.last ?? 0), Number(draft?.last ?? 0));
    }

    /** Objects that are there, by name, after `after`. */
    list(prefix: string, after: string, limit: number): Generation[] {
        return this.database
            .all(
                `SELECT g.* FROM names n JOIN generations g ON g.object = n.object AND g.generation = n.generation
             WHERE n.removed = 0 AND n.name >= ? AND n.name > ? AND n.name <= ? AND substr(n.name, 1, ?) = ? ORDER BY n.name LIMIT ?`,
                prefix,
                after,
                `${prefix}\u{10ffff}`,
                [...prefix].length,
                prefix,
                limit,
            )
            .map(generationOf);
    }

    /** Extents that hold chunks from `first` to `last`, in order. */
    extents(object: ObjectId, generation: number, first: number, last: number): ExtentRecord[] {
        return this.database
            .all(
                `SELECT * FROM extents WHERE object = ? AND generation = ? AND first_chunk <= ? AND first_chunk >=
             (SELECT coalesce(max(first_chunk), 0) FROM extents WHERE object = ? AND generation = ? AND first_chunk <= ?) ORDER BY first_chunk`,
                object,
                generation,
                last,
                object,
                generation,
                first,
            )
            .map(extentOf);
    }

    /** The one that begins with that chunk. */
    extent(object: ObjectId, generation: number, firstChunk: number): ExtentRecord | undefined {
        const row = this.database.one(
            "SELECT * FROM extents WHERE object = ? AND generation = ? AND first_chunk = ?",
            object,
            generation,
            firstChunk,
        );
        return row && extentOf(row);
    }

    extentsOf(stripe: StripeId): ExtentRecord[] {
        return this.database.all("SELECT * FROM extents WHERE stripe = ? ORDER BY object, generation, first_chunk", stripe).map(extentOf);
    }

    /** Objects with more generations than `keep`, or with nothing but a removal. */
    crowdedAfter(after: string, keep: number, limit: number): WalkPage {
        return this.walked("count(*) > ? OR min(removed) = 1", after, keep, limit);
    }

    /** Objects with a data key that is wrapped with another key than that. */
    wrappedOtherwiseAfter(after: string, wrapping: number, limit: number): WalkPage {
        return this.walked("max(removed = 0 AND wrapping <> ?) = 1", after, wrapping, limit);
    }

    private walked(condition: string, after: string, value: number, limit: number): WalkPage {
        const rows = this.database.all(
            `SELECT object, ${condition} AS due FROM generations WHERE object > ? GROUP BY object ORDER BY object LIMIT ?`,
            value,
            after,
            limit,
        );
        const due = rows.filter((row) => row.due === 1).map((row) => String(row.object) as ObjectId);
        return { due, after: rows.length < limit ? undefined : String(rows.at(-1)?.object) };
    }

    drafts(): { readonly object: ObjectId; readonly generation: number }[] {
        return this.database.all("SELECT object, generation FROM drafts ORDER BY object, generation").map((row) => ({
            object: String(row.object) as ObjectId,
            generation: Number(row.generation),
        }));
    }

    stripe(id: StripeId): Stripe | undefined {
        const row = this.database.one("SELECT record, layout, refs FROM stripes WHERE id = ?", id);
        return row && { ...stripeOf(row), refs: Number(row.refs) };
    }

    /** Stripes after that id, in order. */
    stripesAfter(id: string, limit: number): Stripe[] {
        return this.database.all("SELECT record, layout, refs FROM stripes WHERE id > ? ORDER BY id LIMIT ?", id, limit).map((row) => ({
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
        return this.database.fact(`note ${name}`);
    }

    setNote(name: string, value: string): void {
        this.database.setFact(`note ${name}`, value);
    }

    /** Stripes that live in a layout, at most `limit`. */
    stripesIn(layout: number, limit: number): StripeId[] {
        return this.database.all("SELECT id FROM stripes WHERE layout = ? AND refs > 0 ORDER BY id LIMIT ?", layout, limit).map(idOf);
    }

    /** How many stripes are in each layout, of those that are in one. */
    stripeCounts(): Map<number, number> {
        const rows = this.database.all("SELECT layout, number FROM stripe_counts WHERE number > 0");
        return new Map(rows.map((row) => [Number(row.layout), Number(row.number)]));
    }

    /** Stripes that something lives in, those with the least first. */
    leastLive(limit: number): StripeFill[] {
        return this.database.all("SELECT * FROM stripes WHERE refs > 0 ORDER BY live LIMIT ?", limit).map((row) => ({
            ...stripeOf(row),
            liveBytes: Number(row.live),
            storedBytes: Number(row.stored),
        }));
    }

    garbage(limit: number): StripeId[] {
        return this.database.all("SELECT id FROM stripes WHERE refs = 0 ORDER BY id LIMIT ?", limit).map(idOf);
    }

    /** Stripes that no extent names, whose shards are to be deleted. */
    get garbageCount(): number {
        return Number(this.database.one("SELECT count(*) AS number FROM stripes WHERE refs = 0")?.number);
    }

    /** Those that no stripe has: whoever names one says it again. */
    dropLayouts(): void {
        this.changed(() => this.database.run("DELETE FROM layouts WHERE NOT EXISTS (SELECT 1 FROM stripes WHERE layout = layouts.id)"));
        const left = new Set(this.database.all("SELECT id FROM layouts").map(({ id }) => Number(id)));
        for (const id of this.layouts.keys()) if (!left.has(id)) this.layouts.delete(id);
    }

    layout(id: number): LayoutRecord | undefined {
        return this.layouts.get(id);
    }

    allLayouts(): IterableIterator<LayoutRecord> {
        return this.layouts.values();
    }

    totals(): Totals {
        const row = this.database.one("SELECT objects, bytes, stripes, stored, live FROM totals");
        return {
            objects: Number(row?.objects ?? 0),
            bytes: Number(row?.bytes ?? 0),
            stripes: Number(row?.stripes ?? 0),
            storedBytes: Number(row?.stored ?? 0),
            liveBytes: Number(row?.live ?? 0),
        };
    }

    /** All of it or nothing, also of what is held in memory. */
    private changed(work: () => void): void {
        try {
            this.database.transaction(work);
        } catch (error) {
            this.readLayouts();
            throw error;
        }
    }

    private take(record: MetadataRecord): void {
        const isReplacing = applyRecord(this.database, record);
        if (record.type === "layout") this.layouts.set(record.id, record);
        if (record.type === "remove" || (record.type === "put" && isReplacing)) this.crowded.name(record.object);
        if (record.type === "put" && record.wrapping !== this.wrapped.rule) this.wrapped.name(record.object);
    }

    private readLayouts(): void {
        this.layouts.clear();
        for (const row of this.database.all("SELECT record FROM layouts")) {
            const record = onlyRecord(row.record);
            if (record?.type === "layout") this.layouts.set(record.id, record);
        }
    }
}
