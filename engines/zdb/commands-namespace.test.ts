import { beforeEach, describe, expect, test } from "vitest";
import { error, ok, type RespClient } from "../../test/zdb/resp-client.ts";
import { startServer } from "../../test/zdb/running-server.ts";
import { follow, id, type Script, words } from "../../test/zdb/script.ts";

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
            "NSNEW with properties, all of them or no namespace",
            [
                [["NSNEW", "one", "mode", "seq", "password", "pw", "maxsize", "5", "durability", "interval 1s"], ok],
                [words("SELECT one pw"), ok],
                [["SET", "", "12345"], id(0)],
                [["SET", "", "6"], error("No space left on this namespace")],
                [words("NSNEW two maxsize"), error("Unexpected arguments")],
                [words("NSNEW two maxsize ten"), error("Invalid property value (expected: bytes)")],
                [words("NSNEW two public 0 color red"), error("Invalid property")],
                [["NSNEW", "two", "password", ""], error("Invalid argument")],
                [["NSNEW", "two", "password", "x".repeat(64)], error("Argument too long")],
                [words("NSNEW one public 0"), error("This namespace is not available")],
                [["NSLIST"], ["default", "one"]],
                // Of two values of one the last counts.
                [words("NSNEW two maxsize 1 maxsize 2"), ok],
                [words("SELECT two"), ok],
                [words("SET k 12"), "k"],
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
                [
                    words("NSSET one history 5"),
                    error("Invalid property value (expected: none, count <n>, age <n>s, age <n>m, age <n>h, age <n>d)"),
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
                    "data_current_offset access durability history hook state scrub tls listen listening log_bytes log_live_bytes log_kept_bytes " +
                    "log_history_bytes log_dead_bytes compaction_debt_bytes compactions compacted_bytes delayed_writes ops_read ops_write ops_delete ops_scan read_us " +
                    "read_us_sum write_us write_us_sum fsync_us fsync_us_sum",
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
            "access: open",
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
    test("that a namespace is made with are kept over a restart", async () => {
        const first = await startServer();
        await follow(await first.client(), [[["NSNEW", "one", "mode", "seq", "password", "pw", "public", "0", "worm", "1"], ok]]);
        await first.stop();
        const second = await (await startServer([], first.data.replace(/\/data$/, ""))).client();
        const info = String(await second.call("NSINFO", "one"));
        for (const line of ["mode: sequential", "password: yes", "public: no", "worm: yes", "state: ok"])
            expect(info).toContain(`${line}\n`);
    });

    test("are kept over a restart, with what was written", async () => {
        const first = await startServer();
        const client = await first.client();
        await follow(client, [
            [words("NSNEW one"), ok],
            [words("NSSET one mode seq"), ok],
            [words("NSSET one maxsize 500"), ok],
            [words("NSSET one public 0"), ok],
            [words("NSSET one durability commit"), ok],
            [["NSSET", "one", "history", "age 1h"], ok],
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
        expect(info).toContain("durability: commit\nhistory: age 3600s\n");
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
