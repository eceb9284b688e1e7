import { expect } from "vitest";
import { encodeRequest, error, ok } from "../../zdb/resp-client.ts";
import { words } from "../../zdb/script.ts";
import { type Row, row, script } from "./row.ts";

/** Section 9, and the commands of section 5 that are about the server. */
export const SYSTEM_ROWS: readonly Row[] = [
    script("9 WAIT: argc, names, times", [
        [["WAIT"], error("Invalid arguments")],
        [words("WAIT SET 1000 x"), error("Invalid arguments")],
        [words("WAIT BOGUS"), error("Unknown command to watch")],
        [words("WAIT SE"), error("Unknown command to watch")],
        [words("WAIT SET 99"), error("Invalid timeout")],
        [words("WAIT SET 1800001"), error("Invalid timeout")],
        [words("WAIT SET abc"), error("Invalid timeout")],
        [["WAIT", "SET", `${"0".repeat(14)}100`], error("Invalid timeout")],
        [words("WAIT SET 100"), error("Timeout")],
    ]),
    row("9 WAIT: the command of another client of the namespace, in upper case, once, even if it fails", async (world) => {
        const { client: waiter, put } = world;
        const other = await world.guest();
        const elsewhere = await world.connect();
        waiter.send(encodeRequest(words("WAIT set 60000")));
        // The waiter's own command goes on, overtakes, and does not count.
        expect(await waiter.call(...put(0, "own")[0])).toBe(put(0, "own")[1]);
        await elsewhere.call("SET", "", "");
        await other.call("SETX", "k");
        await other.call("SET", "too few");
        expect(await waiter.reply()).toEqual({ status: "SET" });
        await other.call("SET", "too few");
        expect(await waiter.call("PING")).toEqual({ status: "PONG" });
    }),
    row("9 WAIT *: any known command; a second WAIT replaces the first", async (world) => {
        const { client: waiter } = world;
        const other = await world.guest();
        waiter.send(encodeRequest(words("WAIT GET 60000")));
        waiter.send(encodeRequest(words("WAIT * 60000")));
        expect(await waiter.call("PING")).toEqual({ status: "PONG" });
        await other.call("BOGUS");
        await other.call("DBSIZE");
        expect(await waiter.reply()).toEqual({ status: "DBSIZE" });
        await other.call("GET", "k");
        expect(await waiter.call("PING")).toEqual({ status: "PONG" });
    }),
    row("9 WAIT SELECT: the namespace after it counts", async (world) => {
        const { client: waiter } = world;
        waiter.send(encodeRequest(words("WAIT SELECT 60000")));
        expect(await waiter.call("PING")).toEqual({ status: "PONG" });
        const other = await world.connect();
        await other.call("SELECT", "default");
        await other.call("SELECT", world.namespace);
        expect(await waiter.reply()).toEqual({ status: "SELECT" });
    }),
    row("5 HOOKS INDEX DATA MIRROR MASTER NSJUMP RELOAD are for administrators, before argc", async ({ connect }) => {
        const guest = await connect();
        for (const command of ["HOOKS", "INDEX", "DATA", "MIRROR", "MASTER", "NSJUMP", "RELOAD"])
            expect(await guest.call(command), command).toEqual(error("Permission denied"));
    }),
    script("5 HOOKS without a hook", [[["HOOKS", "extra"], []]]),
    script(
        "5 INDEX DIRTY: nothing is ever dirty",
        [
            [["INDEX"], error("Missing arguments")],
            [words("INDEX DIRTY"), []],
            [words("index dirty"), []],
            [words("INDEX DIRTY RESET"), ok],
            [words("INDEX DIRTY BOGUS"), error("Unknown INDEX DIRTY subcommand")],
            [words("INDEX DIRTY a b"), []],
            [words("INDEX BOGUS"), error("Unknown INDEX subcommand")],
            [["INDEX", "B".repeat(257)], error("Argument too long")],
        ],
        { differs: "issue: INDEX DIRTY answers an empty array" },
    ),
    script("8.5 MIRROR and MASTER answer and do nothing more", [
        [["MIRROR", "any"], { status: "Starting mirroring" }],
        [["MASTER"], { status: "Hello, master" }],
        [["PING"], { status: "PONG" }],
    ]),
    script(
        "5 STOP answers a status and does not stop",
        [
            [["STOP"], { status: "Unauthorized" }],
            [["PING"], { status: "PONG" }],
        ],
        { differs: "issue: STOP answers a status and stops only where an option allows it" },
    ),
    script("5 * is no command", [[["*"], error("This is not a valid command")]]),
];
