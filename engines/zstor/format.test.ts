import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyRecord } from "../../test/zstor/any-record.ts";
import { pieces } from "../../test/zstor/damage.ts";
import { MemoryStore, SECRET } from "../../test/zstor/memory-store.ts";
import { decodeRecords, encodeRecord } from "./record.ts";
import { RespReader } from "./resp-reader.ts";

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

describe("decoders", () => {
    test("give back what was encoded", () => {
        fc.assert(
            fc.property(fc.array(anyRecord), (records) => {
                expect(decodeRecords(Buffer.concat(records.map(encodeRecord)))).toEqual(records);
            }),
        );
    });

    test("of replies give the same however they are cut", () => {
        const value = (bytes: Uint8Array) => Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n")]);
        const reply = fc.oneof(
            fc.uint8Array({ maxLength: 100 }).map(value),
            fc.nat(40_000).map((length) => value(Buffer.alloc(length, "x"))),
            fc
                .constantFrom("+OK\r\n", "-No more data\r\n", ":12\r\n", "$-1\r\n", "*2\r\n$1\r\na\r\n*1\r\n:5\r\n")
                .map((text) => Buffer.from(text)),
        );
        const read = (all: readonly Buffer[]) => {
            const replies: unknown[] = [];
            const reader = new RespReader((got) => replies.push(got));
            for (const piece of all) reader.push(piece);
            return replies;
        };
        fc.assert(
            fc.property(fc.array(reply), fc.array(fc.nat(50_000)), (replies, cuts) => {
                const all = Buffer.concat(replies);
                expect(read(pieces(all, cuts))).toEqual(read([all]));
                expect(read([all])).toHaveLength(replies.length);
            }),
        );
    });
});
