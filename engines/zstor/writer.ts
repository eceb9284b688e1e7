import type { WriterId } from "./record.ts";

/** Ids of writers sort by epoch. */
export function writerId(epoch: number, tag: Buffer): WriterId {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32BE(epoch);
    tag.copy(bytes, 4, 0, 4);
    return bytes.toString("hex") as WriterId;
}

export function epochOf(writer: WriterId): number {
    return Number.parseInt(writer.slice(0, 8), 16);
}
