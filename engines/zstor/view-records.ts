import type { MetadataRecord } from "./record.ts";
import type { ViewDatabase } from "./view-database.ts";
import { extentOf, generationOf, onlyRecord, stripeOf } from "./view-rows.ts";

type Tables = Pick<ViewDatabase, "fact" | "each">;

/** The store record that is in force. */
export function configIn(tables: Tables): Extract<MetadataRecord, { type: "config" }> | undefined {
    const text = tables.fact("config");
    const record = text === undefined ? undefined : onlyRecord(Buffer.from(text, "hex"));
    return record?.type === "config" ? record : undefined;
}

/** The whole state as records that give it from nothing, without layouts that no stripe has: whoever names one says it again. */
export function* recordsIn(tables: Tables): Generator<MetadataRecord> {
    const config = configIn(tables);
    if (config) yield config;
    for (const row of tables.each(
        "SELECT record FROM layouts WHERE EXISTS (SELECT 1 FROM stripes WHERE layout = layouts.id) ORDER BY id",
    )) {
        const layout = onlyRecord(row.record);
        if (layout) yield layout;
    }
    for (const row of tables.each("SELECT record, layout FROM stripes ORDER BY id")) yield stripeOf(row);
    for (const row of tables.each("SELECT * FROM extents ORDER BY object, generation, first_chunk")) yield extentOf(row);
    for (const row of tables.each("SELECT * FROM generations ORDER BY object, generation")) {
        const { object, generation, name, sizeBytes, createdMs, removed, wrapping, wrappedKey } = generationOf(row);
        if (removed) yield { type: "remove", object, generation, name, createdMs };
        else yield { type: "put", object, generation, name, sizeBytes, createdMs, wrapping, wrappedKey };
    }
}

/** To its end, or to where the reader stops; nothing is left open then. */
export function* recordsOfFrozen(frozen: ViewDatabase): Generator<MetadataRecord> {
    try {
        yield* recordsIn(frozen);
    } finally {
        frozen.close();
    }
}
