import { beforeEach, describe, expect, test } from "vitest";
import { error, ok, type RespClient } from "../../test/zdb/resp-client.ts";
import { startServer } from "../../test/zdb/running-server.ts";
import { follow, id, type Script, words } from "../../test/zdb/script.ts";

const LONG_KEY = "k".repeat(256);

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
