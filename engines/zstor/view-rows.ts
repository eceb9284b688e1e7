import { ByteReader } from "./bytes.ts";
import {
    type ChunkPlace,
    decodeRecords,
    type ExtentRecord,
    type MetadataRecord,
    type ObjectId,
    readChunks,
    type StripeId,
    type StripeRecord,
} from "./record.ts";
import type { Row } from "./view-database.ts";

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

/** The one record that the bytes are. */
export function onlyRecord(bytes: unknown): MetadataRecord | undefined {
    return decodeRecords(bufferOf(bytes))[0];
}

export function stripeOf(row: Row): StripeRecord {
    const record = onlyRecord(row.record);
    if (record?.type !== "stripe") throw new Error("the view holds something else where a stripe should be");
    return { ...record, layout: Number(row.layout) };
}

export function extentOf(row: Row): ExtentRecord {
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

export function generationOf(row: Row): Generation {
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

export function idOf(row: Row): StripeId {
    return String(row.id) as StripeId;
}

function bufferOf(value: unknown): Buffer {
    if (!(value instanceof Uint8Array)) throw new Error("the view holds something else where bytes should be");
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
