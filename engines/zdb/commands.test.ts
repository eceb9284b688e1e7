import { beforeEach, describe, expect, test } from "vitest";
import { error, ok, type Reply, type RespClient } from "../../test/zdb/resp-client.ts";
import { startServer } from "../../test/zdb/running-server.ts";

const LONG_KEY = "k".repeat(256);

/** One row: what is asked and what is answered, in order, on one connection. */
type Script = readonly (readonly [request: readonly (string | Buffer)[], reply: unknown])[];

async function follow(client: RespClient, script: Script): Promise<void> {
    for (const [request, reply] of script) expect(await client.call(...request), String(request[0])).toEqual(reply);
}

const words = (text: string): string[] => text.split(" ");
const id = (number: number): string => {
    const key = Buffer.alloc(8);
    key.writeUInt32LE(number);
    return key.toString("latin1");
};

describe("server commands", () => {
    test("PING, TIME, INFO and what is not known", async () => {
        const client = await (await startServer()).client();
        await follow(client, [
            [["PING"], { status: "PONG" }],
            [["ping", "extra"], { status: "PONG" }],
            [["HELLO", "3", "AUTH", "ns", "pw"], error("ERR unknown command 'HELLO'")],
            [["CLIENT", "SETINFO", "LIB-NAME", "x"], error("Command not supported")],
            [["COMMAND"], error("Command not supported")],
            [["CONFIG", "GET", "save"], error("Command not supported")],
            [["P"], error("Command not supported")],
            [[""], error("Command not supported")],
            [["x".repeat(8178)], error("Command not supported")],
            [["PING"], { status: "PONG" }],
        ]);
        const time = (await client.call("TIME")) as string[];
        expect(time).toHaveLength(2);
        expect(Math.abs(Number(time[0]) - Date.now() / 1000)).toBeLessThan(5);
        const info = String(await client.call("INFO"));
        expect(info).toMatch(/^# server\nserver_name: 0-db \(zdb\)\n/);
        for (const key of ["instance_id", "boot_time", "uptime", "clients_lifetime", "commands_executed", "network_tx_mb"]) {
            expect(info).toMatch(new RegExp(`^${key}: \\S+$`, "m"));
        }
        expect(info).toContain("\nsequential_key_size: 8\n");
    });
});

describe("data commands, user mode", () => {
    let client: RespClient;
    beforeEach(async () => {
        client = await (await startServer()).client();
    });

    test.each<[string, Script]>([
        [
            "SET answers the key, or nil when nothing changes",
            [
                [["SET", "hello", "world"], "hello"],
                [["GET", "hello"], "world"],
                [["SET", "hello", "world"], null],
                [["SET", "hello", "there"], "hello"],
                [["GET", "hello"], "there"],
                [["DBSIZE"], 1],
            ],
        ],
        [
            "SET of an empty value",
            [
                [["SET", "k", ""], "k"],
                [["GET", "k"], ""],
                [["SET", "k", ""], null],
                [["EXISTS", "k"], 1],
            ],
        ],
        [
            "SET refuses",
            [
                [["SET", "k"], error("Unexpected arguments")],
                [words("SET k v 1 2"), error("Unexpected arguments")],
                [["SET", "", "v"], error("Invalid argument, key needed")],
                [["SET", LONG_KEY, "v"], error("Key too large")],
                [["SET", LONG_KEY.slice(1), "v"], LONG_KEY.slice(1)],
            ],
        ],
        [
            "SET and DEL with a timestamp",
            [
                [words("SET k v 123"), "k"],
                [words("SET k w garbage"), "k"],
                [words("DEL k garbage"), error("Invalid argument")],
                [words("DEL k 5"), ok],
                [["DEL", "", "5"], error("Key not found")],
            ],
        ],
        [
            "GET",
            [
                [["GET", "absent"], null],
                [["GET"], error("Unexpected arguments")],
                [words("GET a b"), error("Unexpected arguments")],
                [["GET", ""], error("Invalid argument")],
                [["GET", LONG_KEY], error("Invalid key")],
            ],
        ],
        [
            "MGET",
            [
                [words("SET a 1"), "a"],
                [
                    ["MGET", "a", "", "b", "a"],
                    ["1", null, null, "1"],
                ],
                [["MGET"], error("Invalid arguments")],
                [["MGET", "a", LONG_KEY], error("Invalid key")],
            ],
        ],
        [
            "DEL",
            [
                [words("SET a 1"), "a"],
                [words("DEL a"), ok],
                [words("GET a"), null],
                [words("DEL a"), error("Key not found")],
                [["DEL", ""], error("Invalid argument")],
                [["DEL", LONG_KEY], error("Invalid key")],
                [["DEL"], error("Unexpected arguments")],
                [words("SET a 1"), "a"],
            ],
        ],
        [
            "EXISTS and DBSIZE",
            [
                [words("EXISTS a"), 0],
                [words("SET a 1"), "a"],
                [words("EXISTS a"), 1],
                [["EXISTS", ""], error("Invalid argument")],
                [["EXISTS", LONG_KEY], error("Invalid key")],
                [["DBSIZE", "extra"], 1],
            ],
        ],
    ])("%s", (_name, script) => follow(client, script));

    test("keys and values are any bytes", async () => {
        const key = Buffer.from([0, 10, 13, 255, 128]);
        const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
        await follow(client, [
            [["SET", key, value], key.toString("latin1")],
            [["GET", key], value.toString("latin1")],
        ]);
    });

    test("a value of 8 MiB is kept, a byte more ends the connection", async () => {
        const value = Buffer.alloc(8 * 1024 * 1024, "v");
        expect(await client.call("SET", "large", value)).toBe("large");
        expect(await client.call("GET", "large")).toBe(value.toString("latin1"));
        expect(await client.call("MGET", "large", "x", "large")).toEqual([value.toString("latin1"), null, value.toString("latin1")]);
        client.send(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${value.length + 1}\r\n`);
        expect(await client.reply()).toEqual(error("Payload too big"));
        await client.closed;
    });

    test("1023 keys in one MGET, not one more", async () => {
        const keys = Array.from({ length: 1023 }, (_, place) => `k${place}`);
        expect(await client.call("MGET", ...keys)).toEqual(keys.map(() => null));
        expect(await client.call("MGET", ...keys, "more")).toEqual(error("Too many arguments"));
        await client.closed;
    });
});

describe("data commands, sequential mode", () => {
    test("ids from 0, an update takes one, a deleted one never comes back", async () => {
        const client = await (await startServer(["--mode", "seq"])).client();
        await follow(client, [
            [["SET", "", "zero"], id(0)],
            [["SET", id(0), "again"], id(0)],
            [["SET", "", "two"], id(2)],
            [["GET", id(0)], "again"],
            [["GET", id(1)], null],
            [["SET", id(0), "again"], null],
            [["SET", "", "three"], id(3)],
            [["DEL", id(3)], ok],
            [["SET", id(3), "x"], error("Invalid key, only update authorized")],
            [["SET", "key", "x"], error("Invalid key, only update authorized")],
            [["SET", id(9), "x"], error("Invalid key, only update authorized")],
            [["GET", "key"], null],
            [["SET", "", "four"], id(4)],
            [["EXISTS", id(2)], 1],
            [["DBSIZE"], 3],
        ]);
        expect(await client.call("NSINFO", "default")).toContain("mode: sequential\n");
        expect(await client.call("NSINFO", "default")).toContain("next_internal_id: 0x0500000000000000\n");
        expect(await client.call("NSSET", "default", "mode", "user")).toEqual(
            error("This server instance is configured to use a single runtime mode"),
        );
    });
});

describe("namespaces", () => {
    let client: RespClient;
    beforeEach(async () => {
        client = await (await startServer()).client();
    });

    test.each<[string, Script]>([
        [
            "NSNEW, NSLIST, SELECT, NSDEL",
            [
                [words("NSNEW one"), ok],
                [words("NSNEW one"), error("This namespace is not available")],
                [["NSLIST"], ["default", "one"]],
                [words("SELECT one"), ok],
                [words("SET k v"), "k"],
                [words("NSDEL one"), error("Cannot remove namespace you're currently using.")],
                [words("SELECT default"), ok],
                [words("GET k"), null],
                [words("NSDEL one"), ok],
                [words("NSDEL one"), error("This namespace doesn't exists")],
                [words("SELECT one"), error("Namespace not found")],
                [words("NSDEL default"), error("Cannot remove default namespace")],
                [["NSLIST"], ["default"]],
                [words("NSNEW one"), ok],
                [words("SELECT one"), ok],
                [["DBSIZE"], 0],
            ],
        ],
        [
            "names",
            [
                [words("NSNEW default"), error("This name is not allowed")],
                [words("NSNEW ."), error("This name is not allowed")],
                [words("NSNEW .hidden"), error("This name is not allowed")],
                [words("NSNEW a/b"), error("This name is not allowed")],
                [["NSNEW", "a b"], error("This name is not allowed")],
                [["NSNEW", ""], error("Invalid argument")],
                [["NSNEW", "n".repeat(129)], error("Namespace too long")],
                [["NSNEW", "n".repeat(128)], ok],
                [["NSNEW"], error("Unexpected arguments")],
                [words("NSNEW 7-a_B.c"), ok],
            ],
        ],
        [
            "mode",
            [
                [words("NSNEW one"), ok],
                [words("NSSET one mode seq"), ok],
                [words("SELECT one"), ok],
                [["SET", "", "v"], id(0)],
                [words("NSSET one mode user"), error("Cannot change mode of used namespace")],
                [words("NSNEW two"), ok],
                [words("NSSET two mode direct"), error("Invalid property value (expected: user, seq)")],
            ],
        ],
        [
            "maxsize counts live bytes, an update by its difference",
            [
                [words("NSNEW one"), ok],
                [words("NSSET one maxsize 10"), ok],
                [words("SELECT one"), ok],
                [words("SET a 123456"), "a"],
                [words("SET b 12345"), error("No space left on this namespace")],
                [words("SET b 1234"), "b"],
                [words("SET a 654321"), "a"],
                [words("SET a 7654321"), error("No space left on this namespace")],
                [words("DEL b"), ok],
                [words("SET a 0123456789"), "a"],
                [words("NSSET one maxsize ten"), error("Invalid property value (expected: bytes)")],
                [words("NSSET one maxsize 0"), ok],
                [words("SET b 1234"), "b"],
            ],
        ],
        [
            "lock and freeze are one field",
            [
                [words("SET a 1"), "a"],
                [words("NSSET default lock 1"), ok],
                [words("SET a 2"), error("Namespace is temporarily locked (read-only)")],
                [words("DEL a"), error("Namespace is temporarily locked (read-only)")],
                [words("GET a"), "1"],
                [words("NSSET default freeze 1"), ok],
                [words("GET a"), error("Namespace is temporarily frozen (read-write disabled)")],
                [words("MGET a"), error("Namespace is temporarily frozen (read-write disabled)")],
                [words("EXISTS a"), error("Namespace is temporarily frozen (read-write disabled)")],
                [words("SET a 2"), error("Namespace is temporarily frozen (read-write disabled)")],
                [["DBSIZE"], 1],
                [words("NSSET default lock 0"), ok],
                [words("SET a 2"), "a"],
            ],
        ],
        [
            "worm",
            [
                [words("NSNEW one"), ok],
                [words("NSSET one worm 1"), ok],
                [words("SELECT one"), ok],
                [words("SET a 1"), "a"],
                [words("SET a 1"), error("Namespace is protected by worm mode")],
                [words("SET a 2"), error("Namespace is protected by worm mode")],
                [words("DEL a"), error("Cannot delete a key when namespace is in worm mode")],
                [words("DEL b"), error("Key not found")],
                [words("SET b 1"), "b"],
            ],
        ],
        [
            "NSSET refuses",
            [
                [words("NSSET one maxsize"), error("Unexpected arguments")],
                [["NSSET", "one", "", "1"], error("Invalid argument")],
                [["NSSET", "one", "password", "p".repeat(64)], error("Argument too long")],
                [["NSSET", "one", "p".repeat(257), "1"], error("Argument too long")],
                [words("NSSET one maxsize 1"), error("Namespace not found")],
                [words("NSSET default maxsize 1"), error("Cannot update default namespace")],
                [words("NSSET default bogus 1"), error("Cannot update default namespace")],
                [words("NSNEW one"), ok],
                [words("NSSET one bogus 1"), error("Invalid property")],
                [words("NSSET one MAXSIZE 1"), error("Invalid property")],
                [
                    words("NSSET one listen nowhere"),
                    error("Invalid property value (expected: address:port,address:port with IP addresses, or * for none)"),
                ],
                [
                    words("NSSET one durability sometimes"),
                    error("Invalid property value (expected: none, interval <n>s, interval <n>ms, commit)"),
                ],
            ],
        ],
        [
            "NSINFO",
            [
                [words("NSINFO none"), error("Namespace not found")],
                [["NSINFO", ""], error("Invalid argument")],
                [["NSINFO"], error("Unexpected arguments")],
            ],
        ],
    ])("%s", (_name, script) => follow(client, script));

    test("NSINFO has every line in the original's order, and ours behind", async () => {
        await follow(client, [
            [words("NSNEW one"), ok],
            [words("NSSET one maxsize 1000"), ok],
            [words("NSSET one password pw"), ok],
            [words("SELECT one pw"), ok],
            [["SET", "key", "v".repeat(100)], "key"],
            [words("SET other 1"), "other"],
        ]);
        const lines = String(await client.call("NSINFO", "one")).split("\n");
        const keys = lines.slice(1, -1).map((line) => /^([a-z_]+): ?/.exec(line)?.[1]);
        expect(lines[0]).toBe("# namespace");
        expect(keys).toEqual(
            words(
                "name entries public worm locked password data_size_bytes data_size_mb data_limits_bytes index_size_bytes index_size_kb " +
                    "next_internal_id mode stats_index_io_errors stats_index_io_error_last stats_index_faults stats_data_io_errors " +
                    "stats_data_io_error_last stats_data_faults space_available index_disk_freespace_bytes index_disk_freespace_mb " +
                    "data_disk_freespace_bytes data_disk_freespace_mb data_path data_active index_path index_active data_current_id " +
                    "data_current_offset durability state listen listening",
            ),
        );
        for (const line of [
            "name: one",
            "entries: 2",
            "public: yes",
            "worm: no",
            "locked: no",
            "password: yes",
            "data_size_bytes: 101",
            "data_size_mb: 0.00",
            "data_limits_bytes: 1000",
            "index_size_bytes: 136",
            "index_size_kb: 0.13",
            "next_internal_id: 0x0200000000000000",
            "mode: userkey",
            "space_available: 899",
            "data_current_id: 0",
            "durability: interval 1s",
            "state: ok",
            "listen: ",
            "listening: no (no listener asked for)",
        ]) {
            expect(lines).toContain(line);
        }
    });

    test("a client of a removed namespace is told at its next command, and disconnected", async () => {
        const server = await startServer();
        const admin = await server.client();
        const other = await server.client();
        await admin.call("NSNEW", "one");
        await other.call("SELECT", "one");
        await admin.call("NSDEL", "one");
        await admin.call("NSNEW", "one");
        expect(await other.call("PING")).toEqual(error("Your active namespace is not available anymore (probably removed)."));
        await other.closed;
    });
});

describe("properties", () => {
    test("are kept over a restart, with what was written", async () => {
        const first = await startServer();
        const client = await first.client();
        await follow(client, [
            [words("NSNEW one"), ok],
            [words("NSSET one mode seq"), ok],
            [words("NSSET one maxsize 500"), ok],
            [words("NSSET one public 0"), ok],
            [words("NSSET one durability commit"), ok],
            [words("SELECT one"), ok],
            [["SET", "", "v"], id(0)],
            [words("NSSET one worm 1"), ok],
            [words("NSSET one password pw"), ok],
            [words("NSSET one freeze 1"), ok],
        ]);
        await first.stop();
        const second = await (await startServer([], first.data.replace(/\/data$/, ""))).client();
        const info = String(await second.call("NSINFO", "one"));
        for (const line of ["entries: 1", "public: no", "worm: yes", "locked: yes", "password: yes", "data_limits_bytes: 500"]) {
            expect(info).toContain(`${line}\n`);
        }
        expect(info).toContain("mode: sequential\n");
        expect(info).toContain("durability: commit\n");
        await follow(second, [
            [words("SELECT one"), error("Namespace protected and private")],
            [words("SELECT one pw"), ok],
            [["GET", id(0)], error("Namespace is temporarily frozen (read-write disabled)")],
            [words("NSSET one lock 0"), ok],
            [["GET", id(0)], "v"],
            [["SET", "", "w"], id(1)],
        ]);
    });
});

describe("pipelines", () => {
    test("of any cut are answered in order, whatever the commands", async () => {
        const client = await (await startServer()).client();
        const requests: Buffer[] = [];
        const expected: Reply[] = [];
        for (let place = 0; place < 2000; place++) {
            requests.push(
                Buffer.from(
                    `*3\r\n$3\r\nSET\r\n$5\r\nk${String(place % 500).padStart(4, "0")}\r\n$4\r\n${String(place).padStart(4, "0")}\r\n`,
                ),
            );
            expected.push(`k${String(place % 500).padStart(4, "0")}`);
            requests.push(Buffer.from(`*2\r\n$3\r\nGET\r\n$5\r\nk${String(place % 500).padStart(4, "0")}\r\n`));
            expected.push(String(place).padStart(4, "0"));
        }
        const stream = Buffer.concat(requests);
        for (let at = 0, step = 1; at < stream.length; at += step, step = (step * 7) % 4093) client.send(stream.subarray(at, at + step));
        expect(await client.replies(expected.length)).toEqual(expected);
    });

    test("errors in the stream are answered once and end the connection, after what came before", async () => {
        const server = await startServer();
        for (const [bytes, message] of [
            ["junk\r\n", "Malformed request, array expected"],
            ["*0\r\n", "Missing arguments"],
            ["*1\r\n+PING\r\n", "Malformed query string"],
            ["*2\r\n$3\r\nGET\r\n$-1\r\n", "Internal memory error"],
        ] as const) {
            const client = await server.client();
            client.send(`*1\r\n$4\r\nPING\r\n${bytes}*1\r\n$4\r\nPING\r\n`);
            expect(await client.replies(2)).toEqual([{ status: "PONG" }, error(message)]);
            await client.closed;
        }
    });

    test("a client that only half-closes gets all its answers", async () => {
        const client = await (await startServer()).client();
        await client.call("SET", "k", Buffer.alloc(4_000_000, "x"));
        client.send(Buffer.concat(Array.from({ length: 5 }, () => Buffer.from("*3\r\n$4\r\nMGET\r\n$1\r\nk\r\n$1\r\nk\r\n"))));
        client.socket.end();
        for (const reply of await client.replies(5))
            expect((reply as string[]).map((value) => value.length)).toEqual([4_000_000, 4_000_000]);
        await client.closed;
    });
});
