import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryStore, SECRET } from "../../test/zstor/memory-store.ts";
import { openBatch, openPage } from "./batch.ts";
import { FormatError } from "./bytes.ts";
import { openEpoch } from "./epoch-record.ts";
import { StoreKeys } from "./keys.ts";
import { keyOf, parseKey } from "./metadata-key.ts";
import { decodeRecords, encodeRecord, type MetadataRecord, type ObjectId, type StripeId, type WriterId } from "./record.ts";
import { RespReader } from "./resp-reader.ts";
import { openStoreRecord } from "./store-record.ts";

interface Fixture {
    readonly namespaces: Readonly<Record<string, Readonly<Record<string, string>>>>;
    readonly objects: Readonly<Record<string, string>>;
}

const fixture: Fixture = JSON.parse(readFileSync(new URL("../../test/fixtures/zstor/v1/store.json", import.meta.url), "utf8"));

function loaded(): MemoryStore {
    const memory = new MemoryStore(99);
    for (const [url, values] of Object.entries(fixture.namespaces)) {
        const namespace = memory.network.namespace(url);
        for (const [key, value] of Object.entries(values))
            namespace.values.set(Buffer.from(key, "hex").toString("latin1"), { value: Buffer.from(value, "base64"), writtenMs: 0 });
    }
    return memory;
}

test("a store that version 1 has written is read, and every shard of it is what the metadata say", async () => {
    const memory = loaded();
    const store = await memory.open();
    expect(store.list("").map(({ name }) => name)).toEqual(Object.keys(fixture.objects).sort());
    for (const [name, content] of Object.entries(fixture.objects))
        expect((await memory.get(store, name)).equals(Buffer.from(content, "base64"))).toBe(true);
    expect((await memory.clock.run(store.caretaker.scrub())).badShards).toBe(0);
});

test("names, contents, keys and credentials are nowhere in clear", () => {
    const everything = Object.values(fixture.namespaces).flatMap((values) =>
        Object.values(values).map((value) => Buffer.from(value, "base64")),
    );
    const all = Buffer.concat(everything);
    for (const word of [SECRET, "compressible", "replaced", "the same line", "memory://", "storeKey", "version 1"])
        expect(all.includes(word)).toBe(false);
});

const hex = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((array) => Buffer.from(array).toString("hex"));
const buffer = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((array) => Buffer.from(array));
const number = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const id = {
    object: hex(16).map((text) => text as ObjectId),
    stripe: hex(12).map((text) => text as StripeId),
    writer: hex(8).map((text) => text as WriterId),
};

const anyRecord: fc.Arbitrary<MetadataRecord> = fc.oneof(
    fc.record({ type: fc.constant("begin" as const), writer: id.writer, timeMs: number }),
    fc.record({
        type: fc.constant("put" as const),
        object: id.object,
        generation: number,
        name: fc.string({ unit: "grapheme" }),
        sizeBytes: number,
        createdMs: number,
        wrapping: number,
        wrappedKey: buffer(60),
    }),
    fc.record({
        type: fc.constant("extent" as const),
        object: id.object,
        generation: number,
        firstChunk: number,
        stripe: id.stripe,
        chunks: fc.array(fc.record({ shard: fc.nat(63), offset: number, storedBytes: number, codec: fc.nat(1) })),
    }),
    fc.array(fc.nat(600_000), { minLength: 1, maxLength: 5 }).chain((lengths) =>
        fc.record({
            type: fc.constant("stripe" as const),
            id: id.stripe,
            layout: number,
            createdMs: number,
            lengths: fc.constant(lengths),
            macs: fc.tuple(...lengths.map((length) => (length === 0 ? fc.constant(undefined) : buffer(16))), buffer(16), buffer(16)),
        }),
    ),
    fc.record({ type: fc.constant("snapshot" as const), sequence: number, writer: id.writer, pages: fc.array(buffer(32)) }),
    fc.tuple(fc.constantFrom(0, 2 ** 48 - 1), fc.nat({ max: 60 })).map(([move, spare]) => ({
        type: "layout" as const,
        id: spare,
        dataShards: 2,
        parityShards: 1,
        backends: [2, spare + 3, 1],
        moves: [0, move, 0],
    })),
    fc.record({ type: fc.constant("relayout" as const), stripe: id.stripe, layout: number }),
);

describe("decoders", () => {
    test("give back what was encoded", () => {
        fc.assert(
            fc.property(fc.array(anyRecord), (records) => {
                expect(decodeRecords(Buffer.concat(records.map(encodeRecord)))).toEqual(records);
            }),
        );
    });

    test("take any bytes without anything but a FormatError", () => {
        const damaged = fc.tuple(fc.array(anyRecord, { minLength: 1 }), fc.array(fc.tuple(fc.nat(), fc.nat(255))), fc.nat());
        fc.assert(
            fc.property(damaged, ([records, changes, cut]) => {
                const bytes = Buffer.concat(records.map(encodeRecord));
                for (const [at, value] of changes) bytes[at % bytes.length] = value;
                try {
                    decodeRecords(bytes.subarray(0, cut % (bytes.length + 1)));
                } catch (error) {
                    expect(error).toBeInstanceOf(FormatError);
                }
            }),
            { numRuns: 500 },
        );
    });

    test("open nothing of sealed values that were changed, cut, or moved to another place", () => {
        const keys = new StoreKeys(Buffer.alloc(32, 1));
        const place = { writer: "0000000100000002" as WriterId, sequence: 5 };
        fc.assert(
            fc.property(fc.uint8Array({ maxLength: 300 }), (array) => {
                const bytes = Buffer.from(array);
                expect(openBatch(keys, place, bytes)).toBeUndefined();
                expect(openPage(keys, { ...place, page: 0 }, bytes)).toBeUndefined();
                expect(openEpoch(keys, Buffer.alloc(16), bytes)).toBeUndefined();
                expect(openStoreRecord(SECRET, bytes)).toBeUndefined();
                const key = parseKey(bytes);
                if (key) expect(keyOf(key).equals(bytes)).toBe(true);
            }),
        );
    });

    test("of replies take any bytes, and give the same however they are cut", () => {
        const value = (bytes: Uint8Array) => Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n")]);
        const reply = fc.oneof(
            fc.uint8Array({ maxLength: 100 }).map(value),
            fc.nat(40_000).map((length) => value(Buffer.alloc(length, "x"))),
            fc
                .constantFrom("+OK\r\n", "-No more data\r\n", ":12\r\n", "$-1\r\n", "*2\r\n$1\r\na\r\n*1\r\n:5\r\n")
                .map((text) => Buffer.from(text)),
        );
        const read = (pieces: readonly Buffer[]) => {
            const replies: unknown[] = [];
            const reader = new RespReader((got) => replies.push(got));
            for (const piece of pieces) reader.push(piece);
            return replies;
        };
        fc.assert(
            fc.property(fc.array(reply), fc.array(fc.nat(50_000)), (replies, cuts) => {
                const all = Buffer.concat(replies);
                const edges = [0, ...cuts.map((cut) => cut % (all.length + 1)).sort((a, b) => a - b), all.length];
                const pieces = edges.slice(1).map((edge, index) => Buffer.from(all.subarray(edges[index], edge)));
                expect(read(pieces)).toEqual(read([all]));
                expect(read([all])).toHaveLength(replies.length);
            }),
        );
    });
});
