import { createHash } from "node:crypto";
import type { SQLOutputValue } from "node:sqlite";

/** The column that every table has it in. */
export const CHECKSUM = "checksum";
/** One damaged row in 2^64 would pass. */
const BYTES = 8;

/**
 * What a row's content comes to: SQLite checks how its pages hang together, not what stands in them, and a disk that changes a byte is not
 * asked. The table and the columns' names are part of it; a column without a value is not, so that a later schema may add some.
 */
export const checksumOf = (table: string, row: Readonly<Record<string, SQLOutputValue | undefined>>): Uint8Array => {
    const columns = Object.entries(row).filter(([name, value]) => name !== CHECKSUM && value !== null && value !== undefined);
    const content = columns.sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, value]) => [name, ...plain(value)]);
    return createHash("sha256")
        .update(JSON.stringify([table, content]))
        .digest()
        .subarray(0, BYTES);
};

/** Whether it is as it was written. */
export const isSound = (table: string, row: Readonly<Record<string, SQLOutputValue>>): boolean => {
    const { [CHECKSUM]: found } = row;
    return found instanceof Uint8Array && Buffer.from(found).equals(checksumOf(table, row));
};

/** The type is part of it: bytes are not the text that they are written as here. */
const plain = (value: SQLOutputValue | undefined): readonly unknown[] =>
    value instanceof Uint8Array
        ? ["bytes", Buffer.from(value).toString("base64")]
        : [typeof value, typeof value === "bigint" ? `${value}` : value];
