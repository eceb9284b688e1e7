import { expect } from "vitest";
import { encodeRequest, error } from "../../zdb/resp-client.ts";
import { words } from "../../zdb/script.ts";
import { type Row, row, script } from "./row.ts";

const PONG = { status: "PONG" };
const MIB = 1024 * 1024;

/** Bytes that are no request are answered and the connection is closed. */
const refused = (what: string, bytes: string, message: string, differs?: string): Row =>
    row(
        `1 ${what}`,
        async (world) => {
            const client = await world.connect();
            client.send(`*1\r\n$4\r\nPING\r\n${bytes}`);
            expect(await client.replies(2)).toEqual([PONG, error(message)]);
            await client.closed;
        },
        differs === undefined ? {} : { differs },
    );

const UNCONSUMED = "17 safe to fix: header errors left unconsumed";
const NEGATIVE = "17 safe to fix: negative lengths";

/** Sections 1 and 2: framing and dispatch. */
export const TRANSPORT_ROWS: readonly Row[] = [
    refused("no array", "PING\r\n", "Malformed request, array expected"),
    refused("an inline command", "GET key\r\n", "Malformed request, array expected"),
    refused("no arguments", "*0\r\n", "Missing arguments", UNCONSUMED),
    refused("a count that is no number", "*x\r\n", "Missing arguments", UNCONSUMED),
    refused("1025 arguments", "*1025\r\n", "Too many arguments", UNCONSUMED),
    refused("an argument that is no bulk string", "*1\r\n+PING\r\n", "Malformed query string", UNCONSUMED),
    refused("a negative count", "*-1\r\n", "Internal memory error"),
    refused("length -1", "*2\r\n$3\r\nGET\r\n$-1\r\n", "Internal memory error", NEGATIVE),
    refused("length -2", "*2\r\n$3\r\nGET\r\n$-2\r\n", "Internal memory error", NEGATIVE),
    refused("length -3", "*2\r\n$3\r\nGET\r\n$-3\r\n", "Internal memory error"),
    refused("a byte above 8 MiB", `*2\r\n$3\r\nGET\r\n$${8 * MIB + 1}\r\n`, "Payload too big"),
    refused("a header line above 8 KiB", `*${"0".repeat(8200)}`, "Malformed request, array expected"),
    row("1 lax lines: no carriage return, blanks, signs, the two bytes after a payload unseen", async ({ client }) => {
        client.send("*1\n$4\nPING\r\n*  +1junk\r\n$ 4x\r\nPING??");
        expect(await client.replies(2)).toEqual([PONG, PONG]);
    }),
    row("1 exactly 8 MiB in any argument", async (world) => {
        const value = Buffer.alloc(8 * MIB, "v");
        const { client } = world;
        const key = world.mode === "user" ? "large" : "";
        const stored = String(await client.call("SET", key, value));
        expect(await client.call("LENGTH", stored)).toBe(8 * MIB);
        expect(await client.call("GET", stored)).toBe(value.toString("latin1"));
        expect(await client.call("GET", value)).toEqual(error("Invalid key"));
    }),
    row("1 1024 arguments", async (world) => {
        const keys = Array.from({ length: 1023 }, () => "absent");
        expect(await world.client.call("MGET", ...keys)).toEqual(keys.map(() => null));
    }),
    row(
        "1 a whole request above 16 MiB is refused before it has arrived",
        async (world) => {
            const client = await world.connect();
            const value = Buffer.alloc(8 * MIB);
            client.send(Buffer.concat([Buffer.from(`*3\r\n$${8 * MIB}\r\n`), value, Buffer.from(`\r\n$${8 * MIB}\r\n`)]));
            expect(await client.reply()).toEqual(error("Payload too big"));
            await client.closed;
        },
        { differs: "issue: whole request <= 16 MiB" },
    ),
    row("1 requests of one packet, cut anywhere, are answered in order", async (world) => {
        const [request, reply] = world.put(0, "value");
        const stream = Buffer.concat([
            encodeRequest(request),
            encodeRequest(["GET", world.key(0)]),
            encodeRequest(["BOGUS"]),
            encodeRequest(["GET", "absent"]),
        ]);
        for (const byte of stream) world.client.send(Buffer.from([byte]));
        expect(await world.client.replies(4)).toEqual([reply, "value", error("Command not supported"), null]);
        world.client.send(Buffer.concat(Array.from({ length: 1024 }, () => encodeRequest(["GET", world.key(0)]))));
        expect(await world.client.replies(1024)).toEqual(Array.from({ length: 1024 }, () => "value"));
    }),
    row("1 keys and values are any bytes", async (world) => {
        const bytes = Buffer.from(Array.from({ length: 255 }, (_, place) => 255 - place));
        const stored = await world.client.call("SET", world.mode === "user" ? bytes : "", bytes);
        if (world.mode === "user") expect(stored).toBe(bytes.toString("latin1"));
        expect(await world.client.call("GET", Buffer.from(String(stored), "latin1"))).toBe(bytes.toString("latin1"));
    }),
    script("2 names of commands in any case", [
        [["ping"], PONG],
        [["pInG"], PONG],
    ]),
    script(
        "2 no prefixes of names, nor the empty one",
        [
            [["P"], error("Command not supported")],
            [[""], error("Command not supported")],
        ],
        { differs: "17 safe to fix: prefix matching" },
    ),
    script("2 unknown commands keep the connection, of any length", [
        [["BOGUS", "x"], error("Command not supported")],
        [["B".repeat(8175)], error("Command not supported")],
        [["B".repeat(8178)], error("Command not supported")],
        [["B".repeat(3 * MIB)], error("Command not supported")],
        [words("CLIENT SETINFO LIB-NAME x"), error("Command not supported")],
        [["COMMAND", "DOCS"], error("Command not supported")],
        [words("CONFIG GET save"), error("Command not supported")],
        [["PING"], PONG],
    ]),
    script(
        "2 HELLO in the words of a Redis without RESP3",
        [
            [words("HELLO 3 AUTH user password"), error("ERR unknown command 'HELLO'")],
            [["PING"], PONG],
        ],
        { differs: "issue: RESP3 is refused as Redis 5 would" },
    ),
    row("2 the namespace of a client is removed: said at the next command, and closed", async (world) => {
        const guest = await world.guest();
        await world.client.call("SELECT", "default");
        expect(await world.client.call("NSDEL", world.namespace)).toEqual({ status: "OK" });
        expect(await guest.call("PING")).toEqual(error("Your active namespace is not available anymore (probably removed)."));
        await guest.closed;
    }),
    row("3 a client begins in default", async (world) => {
        const client = await world.connect();
        await client.call("SELECT", world.namespace);
        expect(await client.call("NSDEL", "x")).toEqual(error("Permission denied"));
        expect(await client.call("SELECT", "default")).toEqual({ status: "OK" });
    }),
];
