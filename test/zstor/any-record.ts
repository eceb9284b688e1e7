import fc from "fast-check";
import { type MetadataRecord, type ObjectId, type StripeId, WRAPPED_KEY_BYTES, type WriterId } from "../../engines/zstor/record.ts";

const hex = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((array) => Buffer.from(array).toString("hex"));
export const buffer = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((array) => Buffer.from(array));
const number = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const object = hex(16).map((text) => text as ObjectId);
const stripe = hex(12).map((text) => text as StripeId);
const writer = hex(8).map((text) => text as WriterId);
const name = fc.string({ unit: "grapheme" });
const type = <T extends MetadataRecord["type"]>(value: T) => fc.constant(value);

/** One of each kind, by its kind: a kind that is added without is an error here. */
const RECORDS = {
    begin: fc.record({ type: type("begin"), writer, timeMs: number }),
    config: fc.record({ type: type("config"), writer, generation: number, sha256: buffer(32) }),
    layout: fc.tuple(fc.constantFrom(0, 2 ** 48 - 1), fc.nat({ max: 60 })).map(([move, spare]) => ({
        type: "layout" as const,
        id: spare,
        dataShards: 2,
        parityShards: 1,
        backends: [2, spare + 3, 1],
        moves: [0, move, 0],
    })),
    stripe: fc.array(fc.nat(600_000), { minLength: 1, maxLength: 5 }).chain((lengths) =>
        fc.record({
            type: type("stripe"),
            id: stripe,
            layout: number,
            createdMs: number,
            lengths: fc.constant(lengths),
            macs: fc.tuple(...lengths.map((length) => (length === 0 ? fc.constant(undefined) : buffer(16))), buffer(16), buffer(16)),
        }),
    ),
    extent: fc.record({
        type: type("extent"),
        object,
        generation: number,
        firstChunk: number,
        stripe,
        chunks: fc.array(fc.record({ shard: fc.nat(63), offset: number, storedBytes: number, codec: fc.nat(1) })),
    }),
    put: fc.record({
        type: type("put"),
        object,
        generation: number,
        name,
        sizeBytes: number,
        createdMs: number,
        wrapping: number,
        wrappedKey: buffer(WRAPPED_KEY_BYTES),
    }),
    remove: fc.record({ type: type("remove"), object, generation: number, name, createdMs: number }),
    forget: fc.record({ type: type("forget"), object, generation: number }),
    relayout: fc.record({ type: type("relayout"), stripe, layout: number }),
    free: fc.record({ type: type("free"), stripe }),
    snapshot: fc.record({ type: type("snapshot"), sequence: number, writer, pages: fc.array(buffer(32)) }),
    "snapshot-beside": fc.record({ type: type("snapshot-beside"), sequence: number, writer, pages: fc.array(buffer(32)) }),
    rewrap: fc.record({ type: type("rewrap"), object, generation: number, wrapping: number, wrappedKey: buffer(WRAPPED_KEY_BYTES) }),
} satisfies { readonly [T in MetadataRecord["type"]]: fc.Arbitrary<Extract<MetadataRecord, { type: T }>> };

export const anyRecord: fc.Arbitrary<MetadataRecord> = fc.oneof(...Object.values<fc.Arbitrary<MetadataRecord>>(RECORDS));
