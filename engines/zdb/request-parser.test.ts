import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_REQUEST_BYTES, MAX_VALUE_BYTES } from "./limits.ts";
import { Refusal } from "./refusal.ts";
import { RequestParser } from "./request-parser.ts";

const encode = (request: readonly Uint8Array[]): Buffer =>
    Buffer.concat([
        Buffer.from(`*${request.length}\r\n`),
        ...request.flatMap((argument) => [Buffer.from(`$${argument.length}\r\n`), Buffer.from(argument), Buffer.from("\r\n")]),
    ]);

function parseAll(parser: RequestParser, chunk: Buffer): Buffer[][] {
    parser.push(chunk);
    const requests: Buffer[][] = [];
    for (let request = parser.next(); request; request = parser.next()) requests.push(request.map((argument) => Buffer.from(argument)));
    return requests;
}

const parse = (text: string): string[][] =>
    parseAll(new RequestParser(), Buffer.from(text, "latin1")).map((request) => request.map((argument) => argument.toString("latin1")));

describe("requests", () => {
    test("come out whole and in order however the stream is cut", () => {
        const request = fc.array(fc.uint8Array({ maxLength: 80 }), { minLength: 1, maxLength: 6 });
        fc.assert(
            fc.property(fc.array(request, { maxLength: 8 }), fc.array(fc.nat({ max: 40 }), { minLength: 1 }), (requests, cuts) => {
                const stream = Buffer.concat(requests.map(encode));
                const parser = new RequestParser();
                const parsed: Buffer[][] = [];
                for (let at = 0, cut = 0; at < stream.length; cut++) {
                    const length = (cuts[cut % cuts.length] ?? 0) + 1;
                    parsed.push(...parseAll(parser, stream.subarray(at, at + length)));
                    at += length;
                }
                expect(parsed.map((each) => each.map((argument) => [...argument]))).toEqual(
                    requests.map((each) => each.map((a) => [...a])),
                );
                expect(parser.pendingBytes).toBe(0);
            }),
        );
    });

    test("that were handed out do not change when more arrives", () => {
        const parser = new RequestParser();
        const stream = Buffer.concat([encode([Buffer.from("first")]), encode([Buffer.from("second")])]);
        parser.push(Buffer.from(stream.subarray(0, 4)));
        parser.push(Buffer.from(stream.subarray(4, 20)));
        const first = parser.next();
        parser.push(Buffer.from(stream.subarray(20)));
        expect(parser.next()?.map(String)).toEqual(["second"]);
        expect(first?.map(String)).toEqual(["first"]);
    });

    test("are read as leniently as the original does", () => {
        expect(parse("*1\n$4\nPING\r\n")).toEqual([["PING"]]);
        expect(parse("*1\r\n$4\r\nPINGxx*1\r\n$0\r\n\r\n")).toEqual([["PING"], [""]]);
        expect(parse("* +2junk\r\n$3 \r\nGET\r\n$01\r\nk\r\n")).toEqual([["GET", "k"]]);
        expect(parse("*1\r\n$x\r\n\r\n")).toEqual([[""]]);
    });
});

describe("what is no request", () => {
    test.each([
        ["PING\r\n", "Malformed request, array expected"],
        ["*0\r\n", "Missing arguments"],
        ["*x\r\n", "Missing arguments"],
        ["*1025\r\n", "Too many arguments"],
        ["*99999999999999999999\r\n", "Too many arguments"],
        ["*-1\r\n", "Internal memory error"],
        ["*1\r\n+4\r\n", "Malformed query string"],
        ["*1\r\n$-1\r\n", "Internal memory error"],
        ["*1\r\n$-3\r\n", "Internal memory error"],
        ["*1\r\n$-99999999999999999999\r\n", "Internal memory error"],
        [`*1\r\n$${MAX_VALUE_BYTES + 1}\r\n`, "Payload too big"],
        ["*1\r\n$99999999999999999999999\r\n", "Payload too big"],
        [`*${"1".repeat(9000)}`, "Malformed request, array expected"],
        [`*1\r\n$${"1".repeat(9000)}`, "Malformed query string"],
    ])("%j is refused and the stream given up", (text, message) => {
        const refusal = (() => {
            try {
                parse(text);
            } catch (error) {
                return error;
            }
        })();
        expect(refusal).toBeInstanceOf(Refusal);
        expect(refusal).toMatchObject({ message, closes: true });
    });

    test("a request above the limit is refused before its last argument arrives", () => {
        const parser = new RequestParser();
        const largest = Buffer.alloc(MAX_VALUE_BYTES);
        parser.push(Buffer.concat([Buffer.from(`*3\r\n$${MAX_VALUE_BYTES}\r\n`), largest, Buffer.from("\r\n")]));
        expect(parser.next()).toBeUndefined();
        parser.push(Buffer.concat([Buffer.from(`$${MAX_VALUE_BYTES}\r\n`)]));
        expect(() => parser.next()).toThrow("Payload too big");
    });

    test("random bytes never do worse than that", () => {
        fc.assert(
            fc.property(
                fc.array(
                    fc.oneof(
                        fc.uint8Array({ maxLength: 30 }),
                        fc.constantFrom(...["*2\r\n", "$3\r\n", "\r\n", "*", "$-"].map((t) => Buffer.from(t))),
                    ),
                ),
                (chunks) => {
                    const parser = new RequestParser();
                    try {
                        for (const chunk of chunks) parseAll(parser, Buffer.from(chunk));
                    } catch (error) {
                        expect(error).toBeInstanceOf(Refusal);
                    }
                },
            ),
            { numRuns: 1000 },
        );
    });
});

describe("memory asked for", () => {
    test("nothing for small requests, all of a large last argument, the largest request for an earlier one", () => {
        const claimed = (head: string): number => {
            const parser = new RequestParser();
            parser.push(Buffer.from(head));
            parser.next();
            return parser.claimedBytes;
        };
        expect(claimed("*2\r\n$3\r\nGET\r\n$16000\r\n")).toBe(0);
        expect(claimed("*2\r\n$3\r\nGET\r\n$1000000\r\nabc")).toBeGreaterThan(1_000_000);
        expect(claimed("*2\r\n$3\r\nGET\r\n$1000000\r\nabc")).toBeLessThan(1_000_100);
        expect(claimed("*3\r\n$3\r\nSET\r\n$1000000\r\nabc")).toBe(MAX_REQUEST_BYTES);
    });
});
