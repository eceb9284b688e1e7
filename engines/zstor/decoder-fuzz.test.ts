import type { Socket } from "node:net";
import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { heldBytes } from "../../test/held-bytes.ts";
import { anyRecord } from "../../test/zstor/any-record.ts";
import { damaged, damages, pieces } from "../../test/zstor/damage.ts";
import { fewerRuns, MAX_GROWTH_BYTES, PATIENCE_MS, refusing, runs } from "../../test/zstor/fuzzing.ts";
import { MemoryFiles } from "../../test/zstor/memory-files.ts";
import { MemoryStore, SECRET } from "../../test/zstor/memory-store.ts";
import { type Backend, BackendError, keysOf } from "./backend.ts";
import { identityOf, nameOfBackend, parseBackendUrl } from "./backend-url.ts";
import { FormatError } from "./bytes.ts";
import { headOf, parseHead } from "./cache-segments.ts";
import { parseConfig } from "./config.ts";
import { framesOf } from "./frames.ts";
import { keyOf, parseKey } from "./metadata-key.ts";
import { StoreError } from "./object-api.ts";
import { ReadCache } from "./read-cache.ts";
import { decodeRecords, encodeRecord, type WriterId } from "./record.ts";
import { ProtocolError, RespReader } from "./resp-reader.ts";
import { infoOf } from "./zdb-backend.ts";

const writer = "0000000100000002" as WriterId;
const place = { writer, sequence: 5 };
const records = fc.array(anyRecord, { minLength: 1, maxLength: 5 }).map((all) => Buffer.concat(all.map(encodeRecord)));

describe("what comes from outside is taken or refused by name", { timeout: PATIENCE_MS }, () => {
    test("records", () => {
        const before = heldBytes();
        fc.assert(
            fc.property(records, damages, (bytes, all) => {
                const wrong = damaged(bytes, all);
                const read = refusing(FormatError, () => decodeRecords(wrong));
                // Whatever is taken says the same when it is written again.
                if (read) expect(decodeRecords(Buffer.concat(read.map(encodeRecord)))).toEqual(read);
            }),
            runs,
        );
        expect(heldBytes() - before).toBeLessThan(MAX_GROWTH_BYTES);
    });

    test("keys of metadata namespaces", () => {
        const known = fc.constantFrom(
            keyOf({ kind: "batch", ...place }),
            keyOf({ kind: "page", ...place, page: 7 }),
            keyOf({ kind: "store", writer, generation: 3 }),
            keyOf({ kind: "member" }),
        );
        fc.assert(
            fc.property(known, damages, (bytes, all) => {
                const wrong = damaged(bytes, all);
                const key = parseKey(wrong);
                if (key) expect(keyOf(key).equals(wrong)).toBe(true);
            }),
            runs,
        );
    });

    test("replies of a Zero-DB, the same however they come in pieces", () => {
        const value = (bytes: Uint8Array) => Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n")]);
        const words = ["+OK\r\n", "-No more data\r\n", ":12\r\n", "$-1\r\n", "*2\r\n$1\r\na\r\n*1\r\n:5\r\n", "*0\r\n"];
        const claims = [
            "$16777216\r\n",
            "$99999999999\r\n",
            "*100000\r\n",
            "*-7\r\n",
            ":x\r\n",
            "$\r\n",
            "$1e3\r\n",
            "$0x10\r\n",
            "*1\r\n".repeat(9),
        ];
        const reply = fc.oneof(
            fc.uint8Array({ maxLength: 60 }).map(value),
            fc.constantFrom(33_000, 40_000).map((length) => value(Buffer.alloc(length, "x"))),
            fc.constantFrom(...words, ...claims).map((text) => Buffer.from(text)),
        );
        const read = (all: readonly Buffer[]) => {
            const replies: unknown[] = [];
            const reader = new RespReader((got) => replies.push(got));
            const isRefused = refusing(ProtocolError, () => all.forEach((piece) => void reader.push(piece)) ?? "taken") === undefined;
            return { replies, isRefused };
        };
        const before = heldBytes();
        fc.assert(
            fc.property(fc.array(reply, { maxLength: 6 }), damages, fc.array(fc.nat(), { maxLength: 8 }), (replies, all, cuts) => {
                const wrong = damaged(Buffer.concat(replies), all);
                const whole = read([wrong]);
                const { length } = wrong;
                expect(whole.replies.length).toBeLessThanOrEqual(length);
                expect(read(pieces(wrong, cuts))).toEqual(whole);
            }),
            runs,
        );
        expect(heldBytes() - before).toBeLessThan(MAX_GROWTH_BYTES);
    });

    test("a reply that never ends, and one that is longer than any", () => {
        const part = Buffer.alloc(2 ** 20, "x");
        const pushing = (begin: string, each: Buffer) => () => {
            const reader = new RespReader(() => undefined);
            reader.push(Buffer.from(begin));
            for (let count = 0; count < 64; count++) reader.push(each);
        };
        expect(pushing("+", part)).toThrow("a line does not end");
        expect(pushing("*9\r\n", Buffer.concat([Buffer.from(`$${part.length}\r\n`), part, Buffer.from("\r\n")]))).not.toThrow();
        expect(pushing("*99\r\n", Buffer.concat([Buffer.from(`$${part.length}\r\n`), part, Buffer.from("\r\n")]))).toThrow("too long");
    });

    test("what a Zero-DB says of a namespace", () => {
        const known = [
            "name: a",
            "entries: 5",
            "data_size_bytes: 10",
            "data_limits_bytes: 0",
            "data_disk_freespace_bytes: 9",
            "mode: userkey",
        ];
        const text = Buffer.from(`# namespace\n${known.join("\n")}\n`);
        expect(infoOf(text.toString())).toMatchObject({ entries: 5, mode: "user" });
        fc.assert(
            fc.property(damages, (all) => void refusing(BackendError, () => infoOf(damaged(text, all).toString("utf8")))),
            runs,
        );
    });

    test("a listing that begins again and again", async () => {
        const page = { entries: [], next: Buffer.from("there") };
        const listed = keysOf({ scan: async () => page } as unknown as Backend);
        await expect(listed.next()).rejects.toThrow("its listing does not go on");
    });

    test("urls of backends, whose password no refusal shows", () => {
        const known = fc.constantFrom(
            "redis://data:PASSWORD@10.0.0.1:9900",
            "rediss://data:PASSWORD@[fd00::1]",
            "redis://a%20b:PASSWORD%25@host:1",
            "redis://d:PASSWORD%zz@h",
        );
        fc.assert(
            fc.property(known, damages, (url, all) => {
                const wrong = damaged(Buffer.from(url), all).toString("utf8");
                for (const use of [parseBackendUrl, nameOfBackend, identityOf]) {
                    try {
                        use(wrong);
                    } catch (error) {
                        expect(error).toBeInstanceOf(StoreError);
                        // Where it still is what stands before the host.
                        if (wrong.startsWith("redis") && /:PASSWORD[^@/]*@[^@]*$/.test(wrong))
                            expect((error as Error).message).not.toContain("PASSWORD");
                    }
                }
            }),
            runs,
        );
        expect(() => parseBackendUrl("redis://d:100%@h")).toThrow(
            "the url of the backend at h has a % that begins no %XX: write it as %25",
        );
    });

    test("the configuration of a front end", () => {
        const url = "redis://data:password@host";
        const text = JSON.stringify({ secret: SECRET, socket: "/s", view: "/v", metadata: [url], backends: [{ url, group: "a" }] });
        fc.assert(
            fc.property(damages, (all) => {
                refusing(StoreError, () => parseConfig(damaged(Buffer.from(text), all).toString("utf8"), "config"));
            }),
            runs,
        );
    });

    test("frames of the API, the same however they come in pieces", async () => {
        const frame = (kind: string, bytes: Uint8Array) => {
            const head = Buffer.alloc(5);
            head.writeUInt32LE(bytes.length);
            head.write(kind, 4);
            return Buffer.concat([head, bytes]);
        };
        const one = fc.oneof(
            fc.constantFrom('{"op":"metrics"}', '{"op":"put","name":"a"}', "{").map((json) => frame("J", Buffer.from(json))),
            fc.uint8Array({ maxLength: 50 }).map((bytes) => frame("D", bytes)),
            fc.constantFrom(frame("E", Buffer.alloc(0)), frame("X", Buffer.alloc(3)), Buffer.from("ffffffff4a", "hex")),
        );
        await fc.assert(
            fc.asyncProperty(fc.array(one, { maxLength: 5 }), damages, fc.array(fc.nat(), { maxLength: 6 }), async (all, harm, cuts) => {
                const wrong = damaged(Buffer.concat(all), harm);
                expect(await framesIn(pieces(wrong, cuts))).toEqual(await framesIn([wrong]));
            }),
            runs,
        );
    });

    test("heads in segments of the read cache, and segments", async () => {
        const head = headOf(Buffer.alloc(16, 5), 100);
        fc.assert(
            fc.property(damages, (all) => {
                const wrong = damaged(head, all);
                const isSame = wrong.subarray(0, head.length).equals(head);
                expect(parseHead(wrong) !== undefined).toBe(isSame);
            }),
            runs,
        );
        const chunks = Array.from({ length: 4 }, (_, index) => ({ key: Buffer.alloc(16, index + 1), bytes: Buffer.alloc(200, index) }));
        const segment = Buffer.concat(chunks.flatMap(({ key, bytes }) => [headOf(key, bytes.length), bytes]));
        const name = fc.constantFrom("c0", "c1", "c00", "c4194303", "c9999999", "x", "c-1");
        await fc.assert(
            fc.asyncProperty(fc.array(fc.tuple(name, damages), { maxLength: 3 }), async (segments) => {
                const files = new MemoryFiles();
                for (const [each, all] of segments) files.files.set(each, damaged(segment, all));
                const { surroundings } = new MemoryStore().parts();
                const cache = new ReadCache(files, 2 ** 22, surroundings);
                await cache.open();
                for (const { key, bytes } of chunks) {
                    const found = await cache.get(key, bytes.length);
                    expect(found?.length ?? bytes.length).toBe(bytes.length);
                    cache.put(key, bytes);
                }
                await cache.settled();
                expect(cache.trouble).toBeUndefined();
                await cache.close();
            }),
            fewerRuns,
        );
    });
});

/** Frames with content that belongs together joined, and how they ended. */
async function framesIn(all: readonly Buffer[]): Promise<readonly string[]> {
    const seen: string[] = [];
    try {
        for await (const { kind, bytes } of framesOf(Readable.from(all) as unknown as Socket)) {
            const last = seen.at(-1);
            if (kind === "D" && last?.startsWith("D")) seen[seen.length - 1] = last + bytes.toString("hex");
            else seen.push(`${kind}${bytes.toString("hex")}`);
        }
    } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        seen.push(error.message);
    }
    return seen;
}
