import type { WriterId } from "./record.ts";

/** What lies under a key of a metadata namespace. */
export type MetadataKey =
    | { readonly kind: "epoch" }
    | { readonly kind: "member" }
    | { readonly kind: "store"; readonly writer: WriterId; readonly generation: number }
    | { readonly kind: "batch"; readonly writer: WriterId; readonly sequence: number }
    | { readonly kind: "page"; readonly writer: WriterId; readonly sequence: number; readonly page: number };

export const EPOCH_KEY = Buffer.from("epoch");
export const MEMBER_KEY = Buffer.from("member");
const LETTERS = { store: "s", batch: "j", page: "p" } as const;
const HEAD_BYTES = 17;

export function keyOf(key: MetadataKey): Buffer {
    if (key.kind === "epoch") return EPOCH_KEY;
    if (key.kind === "member") return MEMBER_KEY;
    const bytes = Buffer.alloc(key.kind === "page" ? HEAD_BYTES + 4 : HEAD_BYTES);
    bytes.write(LETTERS[key.kind]);
    bytes.write(key.writer, 1, "hex");
    bytes.writeBigUInt64BE(BigInt(key.kind === "store" ? key.generation : key.sequence), 9);
    if (key.kind === "page") bytes.writeUInt32BE(key.page, HEAD_BYTES);
    return bytes;
}

/** Undefined for what is no key of ours. */
export function parseKey(bytes: Buffer): MetadataKey | undefined {
    if (bytes.equals(EPOCH_KEY)) return { kind: "epoch" };
    if (bytes.equals(MEMBER_KEY)) return { kind: "member" };
    if (bytes.length !== HEAD_BYTES && bytes.length !== HEAD_BYTES + 4) return undefined;
    const writer = bytes.toString("hex", 1, 9) as WriterId;
    const number = Number(bytes.readBigUInt64BE(9));
    if (!Number.isSafeInteger(number)) return undefined;
    const letter = String.fromCharCode(bytes[0] ?? 0);
    if (bytes.length === HEAD_BYTES) {
        if (letter === LETTERS.store) return { kind: "store", writer, generation: number };
        return letter === LETTERS.batch ? { kind: "batch", writer, sequence: number } : undefined;
    }
    return letter === LETTERS.page ? { kind: "page", writer, sequence: number, page: bytes.readUInt32BE(HEAD_BYTES) } : undefined;
}
