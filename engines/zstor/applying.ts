import { ByteWriter } from "./bytes.ts";
import { type ExtentRecord, encodeRecord, type MetadataRecord, type ObjectId, type StripeRecord, writeChunks } from "./record.ts";
import type { Row, ViewDatabase } from "./view-database.ts";

/** What a record of the journal does to the tables of the view; FORMAT.md has the meanings. True when a put or a removal comes after others of its object. */
export function applyRecord(database: ViewDatabase, record: MetadataRecord): boolean {
    switch (record.type) {
        case "begin":
        case "snapshot":
        case "snapshot-beside":
            return false;
        case "config":
            database.setFact("config", encodeRecord(record).toString("hex"));
            return false;
        case "layout":
            database.run("INSERT OR REPLACE INTO layouts VALUES (?, ?)", record.id, encodeRecord(record));
            return false;
        case "stripe":
            database.run(
                "INSERT OR IGNORE INTO stripes VALUES (?, ?, 0, 0, ?, ?)",
                record.id,
                record.layout,
                storedBytes(record),
                encodeRecord(record),
            );
            return false;
        case "extent":
            takeExtent(database, record);
            return false;
        case "put":
            database.run(
                "INSERT OR REPLACE INTO generations VALUES (?, ?, ?, ?, ?, 0, ?, ?)",
                record.object,
                record.generation,
                record.name,
                record.sizeBytes,
                record.createdMs,
                record.wrapping,
                record.wrappedKey,
            );
            database.run("DELETE FROM drafts WHERE object = ? AND generation = ?", record.object, record.generation);
            return point(database, record.name, record.object);
        case "remove":
            database.run(
                "INSERT OR REPLACE INTO generations VALUES (?, ?, ?, 0, ?, 1, 0, x'')",
                record.object,
                record.generation,
                record.name,
                record.createdMs,
            );
            return point(database, record.name, record.object);
        case "forget":
            forget(database, record.object, record.generation);
            return false;
        case "relayout":
            database.run("UPDATE stripes SET layout = ? WHERE id = ?", record.layout, record.stripe);
            return false;
        case "free":
            database.run("DELETE FROM stripes WHERE id = ? AND refs = 0", record.stripe);
            return false;
        case "rewrap":
            database.run(
                "UPDATE generations SET wrapping = ?, wrapped = ? WHERE object = ? AND generation = ?",
                record.wrapping,
                record.wrappedKey,
                record.object,
                record.generation,
            );
            return false;
    }
}

function takeExtent(database: ViewDatabase, { object, generation, firstChunk, stripe, chunks }: ExtentRecord): void {
    const where = [object, generation, firstChunk];
    const replaced = database.one("SELECT stripe, bytes FROM extents WHERE object = ? AND generation = ? AND first_chunk = ?", ...where);
    if (replaced) letGo(database, replaced);
    const bytes = chunks.reduce((sum, { storedBytes: each }) => sum + each, 0);
    const encoded = writeChunks(chunks, new ByteWriter()).bytes();
    database.run("INSERT OR REPLACE INTO extents VALUES (?, ?, ?, ?, ?, ?)", object, generation, firstChunk, stripe, bytes, encoded);
    database.run("UPDATE stripes SET refs = refs + 1, live = live + ? WHERE id = ?", bytes, stripe);
    if (nameOf(database, object, generation) === undefined) database.run("INSERT OR IGNORE INTO drafts VALUES (?, ?)", object, generation);
}

/** An extent does not name its stripe any more. */
function letGo(database: ViewDatabase, { stripe, bytes }: Row): void {
    database.run("UPDATE stripes SET refs = refs - 1, live = live - ? WHERE id = ?", Number(bytes), String(stripe));
}

/** Of all shards. */
function storedBytes({ lengths, macs }: StripeRecord): number {
    const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
    return lengths.reduce((sum, length) => sum + length, 0) + (macs.length - lengths.length) * longest;
}

function forget(database: ViewDatabase, object: ObjectId, generation: number): void {
    const name = nameOf(database, object, generation);
    for (const row of database.all("SELECT stripe, bytes FROM extents WHERE object = ? AND generation = ?", object, generation))
        letGo(database, row);
    for (const table of ["extents", "generations", "drafts"])
        database.run(`DELETE FROM ${table} WHERE object = ? AND generation = ?`, object, generation);
    if (name !== undefined) point(database, name, object);
}

/** Lets the name mean the newest generation that there is. True when it meant something before. */
function point(database: ViewDatabase, name: string, object: ObjectId): boolean {
    const before = database.run("DELETE FROM names WHERE name = ?", name);
    database.run(
        `INSERT INTO names SELECT name, object, generation, removed, size FROM generations WHERE object = ?
         ORDER BY generation DESC LIMIT 1`,
        object,
    );
    return before > 0;
}

function nameOf(database: ViewDatabase, object: ObjectId, generation: number): string | undefined {
    const row = database.one("SELECT name FROM generations WHERE object = ? AND generation = ?", object, generation);
    return row && String(row.name);
}
