import { expect } from "vitest";
import { error, ok } from "../../zdb/resp-client.ts";
import { words } from "../../zdb/script.ts";
import { type Row, row, script } from "./row.ts";
import { expectOk } from "./world.ts";

const DENIED = error("Permission denied");
const INVALID = error("Invalid argument");

const INFO_KEYS = [
    ..."name entries public worm locked password data_size_bytes data_size_mb data_limits_bytes index_size_bytes index_size_kb".split(" "),
    ..."next_internal_id mode stats_index_io_errors stats_index_io_error_last stats_index_faults".split(" "),
    ..."stats_data_io_errors stats_data_io_error_last stats_data_faults".split(" "),
];
const FREE_KEYS = "index_disk_freespace_bytes index_disk_freespace_mb data_disk_freespace_bytes data_disk_freespace_mb".split(" ");
const ADMIN_KEYS = "data_path data_active index_path index_active data_current_id data_current_offset".split(" ");

const lines = (text: unknown): Map<string, string> =>
    new Map(
        String(text)
            .split("\n")
            .slice(1, -1)
            .map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]),
    );

/** Section 6. */
export const NAMESPACE_ROWS: readonly Row[] = [
    row("6.1 NSNEW NSDEL NSLIST: the life of a namespace, and who may", async ({ client, connect, namespace }) => {
        const name = `${namespace}-new`;
        const guest = await connect();
        for (const request of [["NSNEW", name], ["NSNEW"], ["NSDEL", name], ["NSSET", name, "worm", "1"], ["NSJUMP"]])
            expect(await guest.call(...request), request[0]).toEqual(DENIED);
        expect(await client.call("NSNEW", name)).toEqual(ok);
        expect(await client.call("NSNEW", name)).toEqual(error("This namespace is not available"));
        const listed = (await client.call("NSLIST", "extra")) as string[];
        expect(listed[0]).toBe("default");
        expect(listed).toContain(name);
        expect(await client.call("NSDEL", name)).toEqual(ok);
        expect(await client.call("NSDEL", name)).toEqual(error("This namespace doesn't exists"));
        expect(await client.call("NSLIST")).not.toContain(name);
    }),
    script("6.1 names that are refused", [
        [["NSNEW", "default"], error("This name is not allowed")],
        [["NSNEW", "."], error("This name is not allowed")],
        [["NSNEW", ".."], error("This name is not allowed")],
        [["NSNEW", "a/b"], error("This name is not allowed")],
        [["NSNEW", "n".repeat(129)], error("Namespace too long")],
        [["NSNEW", ""], INVALID],
        [["NSNEW"], error("Unexpected arguments")],
        [words("NSNEW a b"), error("Unexpected arguments")],
    ]),
    script(
        "6.1 names beyond [A-Za-z0-9_.-]",
        [
            [["NSNEW", "two words"], error("This name is not allowed")],
            [["NSNEW", "line\nforged: yes"], error("This name is not allowed")],
            [["NSNEW", "nul\0"], error("This name is not allowed")],
        ],
        { differs: "6.1: a new server should restrict names to a safe set" },
    ),
    row("6.1 names that clients of the original use, the longest too", async ({ client, namespace }) => {
        for (const name of [`${namespace}-zdbfs-meta`, `12-345-${namespace}`, `${namespace}_.x`, namespace.padEnd(128, "n")]) {
            expect(await client.call("NSNEW", name)).toEqual(ok);
            expect(await client.call("NSDEL", name)).toEqual(ok);
        }
    }),
    script("6.1 what NSDEL refuses", ({ namespace }) => [
        [["NSDEL", "default"], error("Cannot remove default namespace")],
        [["NSDEL", namespace], error("Cannot remove namespace you're currently using.")],
        [["NSDEL", "n".repeat(129)], error("Namespace too long")],
        [["NSDEL", ""], INVALID],
        [["NSDEL"], error("Unexpected arguments")],
    ]),
    script("6.2 NSSET: argc, sizes, the namespace, the property, in this order", ({ namespace }) => [
        [["NSSET"], error("Unexpected arguments")],
        [["NSSET", namespace, "worm"], error("Unexpected arguments")],
        [["NSSET", namespace, "worm", ""], INVALID],
        [["NSSET", "n".repeat(129), "worm", "1"], error("Namespace too long")],
        [["NSSET", "absent", "p".repeat(257), "1"], error("Argument too long")],
        [["NSSET", "absent", "worm", "v".repeat(64)], error("Argument too long")],
        [["NSSET", "absent", "bogus", "1"], error("Namespace not found")],
        [["NSSET", namespace, "bogus", "1"], error("Invalid property")],
        [["NSSET", namespace, "WORM", "1"], error("Invalid property")],
    ]),
    script("6.2 default takes mode, lock and freeze only", [
        ...["password", "public", "worm", "maxsize", "bogus"].map(
            (property) => [["NSSET", "default", property, "1"], error("Cannot update default namespace")] as const,
        ),
        [words("NSSET default lock 0"), ok],
        [words("NSSET default freeze 0"), ok],
    ]),
    script("6.2 lock and freeze share one field", ({ namespace, put, key }) => [
        put(0, "a"),
        [["NSSET", namespace, "freeze", "1"], ok],
        [["GET", key(0)], error("Namespace is temporarily frozen (read-write disabled)")],
        [["NSSET", namespace, "lock", "0"], ok],
        [["GET", key(0)], "a"],
        [["NSSET", namespace, "lock", "1x"], ok],
        [["DEL", key(0)], error("Namespace is temporarily locked (read-only)")],
        [["NSSET", namespace, "freeze", "0"], ok],
        [["DEL", key(0)], ok],
    ]),
    script("6.2 maxsize: live bytes and the new value against the limit and the old value", ({ namespace, put, key }) => [
        [["NSSET", namespace, "maxsize", "10"], ok],
        put(0, "12345"),
        put(1, "12345"),
        [["SET", key(0), "123456"], error("No space left on this namespace")],
        [["SET", key(0), "54321"], key(0)],
        [["DEL", key(1)], ok],
        [["SET", key(0), "1234567890"], key(0)],
        [["SET", key(0), "12345678901"], error("No space left on this namespace")],
        [["NSSET", namespace, "maxsize", "0"], ok],
        [["SET", key(0), "12345678901"], key(0)],
    ]),
    row("6.2 password: * clears it, 63 bytes at most", async ({ client, namespace, connect }) => {
        const entering = async (...password: string[]): Promise<unknown> => (await connect()).call("SELECT", namespace, ...password);
        await expectOk(client, "NSSET", namespace, "public", "0");
        await expectOk(client, "NSSET", namespace, "password", "p".repeat(63));
        expect(await entering("p".repeat(63))).toEqual(ok);
        expect(await entering()).toEqual(error("Namespace protected and private"));
        await expectOk(client, "NSSET", namespace, "password", "*");
        expect(await entering()).toEqual(ok);
    }),
    row("6.3 NSINFO: the lines of the original in their order, ours after them", async (world) => {
        const { client, namespace, put } = world;
        await client.call(...put(0, "value")[0]);
        const text = String(await client.call("NSINFO", namespace));
        expect(text.startsWith("# namespace\nname: ")).toBe(true);
        expect([...lines(text).keys()].slice(0, INFO_KEYS.length + FREE_KEYS.length + ADMIN_KEYS.length)).toEqual([
            ...INFO_KEYS,
            ...FREE_KEYS,
            ...ADMIN_KEYS,
        ]);
        const info = lines(text);
        const indexBytes = world.mode === "user" ? 64 + "key-0".length : 0;
        expect(Object.fromEntries(info)).toMatchObject({
            name: namespace,
            entries: "1",
            public: "yes",
            worm: "no",
            locked: "no",
            password: "no",
            data_size_bytes: "5",
            data_size_mb: "0.00",
            data_limits_bytes: "0",
            index_size_bytes: String(indexBytes),
            next_internal_id: "0x0100000000000000",
            mode: world.mode === "user" ? "userkey" : "sequential",
            durability: "interval 1s",
        });
        await expectOk(client, "NSSET", namespace, "maxsize", "100");
        expect([...lines(await client.call("NSINFO", namespace)).keys()][INFO_KEYS.length]).toBe("space_available");
        expect(lines(await client.call("NSINFO", namespace)).get("space_available")).toBe("95");
        for (const property of ["lock", "freeze"]) {
            await expectOk(client, "NSSET", namespace, property, "1");
            expect(lines(await client.call("NSINFO", namespace)).get("locked")).toBe("yes");
        }
        const guest = await world.connect();
        expect(lines(await guest.call("NSINFO", namespace)).has("data_path")).toBe(false);
    }),
    script(
        "6.3 next_internal_id has sixteen digits",
        ({ put, namespace }) => [
            [["NSINFO", namespace], expect.stringContaining("next_internal_id: 0x00000000\n")],
            put(0, "a"),
            [["NSINFO", namespace], expect.stringContaining("next_internal_id: 0x0100000000000000\n")],
        ],
        { differs: "17 safe to fix: next_internal_id padding" },
    ),
    script("6.3 NSINFO: argc, empty, absent", [
        [["NSINFO"], error("Unexpected arguments")],
        [["NSINFO", ""], INVALID],
        [["NSINFO", "absent"], error("Namespace not found")],
        [["NSINFO", "n".repeat(129)], error("Namespace too long")],
    ]),
    row(
        "6.3 NSLIST and NSINFO: private namespaces of others are not told of",
        async (world) => {
            const { client, namespace } = world;
            const guest = await world.connect();
            expect(await guest.call("NSLIST")).toContain(namespace);
            await expectOk(client, "NSSET", namespace, "password", "pw");
            await expectOk(client, "NSSET", namespace, "public", "0");
            expect(await guest.call("NSLIST")).not.toContain(namespace);
            expect(await guest.call("NSINFO", namespace)).toEqual(error("Namespace not found"));
            await expectOk(guest, "SELECT", namespace, "pw");
            expect(await guest.call("NSLIST")).toContain(namespace);
            expect(String(await guest.call("NSINFO", namespace))).toContain("password: yes\n");
        },
        { differs: "17 safe to fix: NSINFO/NSLIST open to everybody" },
    ),
    row("6.4 INFO: sections and keys", async ({ client }) => {
        const text = String(await client.call("INFO", "extra"));
        for (const section of ["# server\n", "# clients\n", "# internals\n", "# stats\n"]) expect(text).toContain(section);
        expect(text).toContain("server_name: 0-db (zdb)\n");
        expect(text).toContain("sequential_key_size: 8\n");
        const keys = "server_revision engine_revision instance_id boot_time uptime clients_lifetime data_version index_version";
        const counters = "commands_executed commands_failed commands_unauthorized index_disk_read_failed index_disk_write_failed";
        const failed = "data_disk_read_failed data_disk_write_failed";
        const amounts = ["index_disk_read", "index_disk_write", "data_disk_read", "data_disk_write", "network_rx", "network_tx"];
        const units = amounts.flatMap((name) => [`${name}_bytes`, `${name}_mb`]);
        for (const key of [...`${keys} ${counters} ${failed}`.split(" "), ...units]) expect(text).toMatch(new RegExp(`^${key}: \\S+`, "m"));
    }),
];
