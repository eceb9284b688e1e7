import { expect } from "vitest";
import { encodeRequest as encode, error, ok, type Reply, type RespClient } from "../../zdb/resp-client.ts";
import { type Row, row, script } from "./row.ts";

type Entry = readonly [key: string, length: number, timestamp: number];

/** All steps of a scan, each one's cursor given back. */
async function scanned(client: RespClient, command: string, cursor?: Buffer): Promise<Entry[]> {
    const found: Entry[] = [];
    let from = cursor;
    for (;;) {
        const reply = await client.call(command, ...(from ? [from] : []));
        if (!Array.isArray(reply)) {
            expect(reply).toEqual(error("No more data"));
            return found;
        }
        const [next, entries] = reply as [string, Entry[]];
        expect(entries.length).toBeGreaterThan(0);
        found.push(...entries);
        from = Buffer.from(next, "latin1");
    }
}

const keysOf = (entries: readonly Entry[]): string[] => entries.map(([key]) => key);
const latin1 = (reply: Reply): Buffer => Buffer.from(String(reply), "latin1");

/** Section 8. */
export const ITERATION_ROWS: readonly Row[] = [
    ...["SCAN", "SCANX", "RSCAN"].map((command) =>
        script(`8.2 ${command}: the end of an empty namespace, cursors that are none, any argc`, ({ put }) => [
            [[command], error("No more data")],
            [[command, "17 bytes, no more"], error("Invalid key format")],
            [[command, ""], error("Invalid key format")],
            [[command, "short"], error("Invalid key format")],
            put(0, "a"),
            [[command, "x".repeat(17), "extra"], error("Invalid key format")],
        ]),
    ),
    row("8.2 entries: key, length, time; the cursor is of the last one; what was deleted or superseded is not listed", async (world) => {
        const { client, put, key } = world;
        for (const place of [0, 1, 2]) await client.call(...put(place, "v".repeat(place))[0]);
        await client.call("DEL", key(1));
        const [, entries] = (await client.call("SCAN")) as [string, Entry[]];
        expect(entries).toEqual([
            [key(0), 0, expect.any(Number)],
            [key(2), 2, expect.any(Number)],
        ]);
        expect(keysOf(await scanned(client, "RSCAN"))).toEqual([key(2), key(0)]);
        expect(await client.call("SCANX")).toEqual(await client.call("SCAN"));
    }),
    row("8.2 the time of an entry is signed", async ({ client, put, key }) => {
        await client.call(...put(0, "a")[0]);
        await client.call("SET", key(0), "b", "4294967295");
        expect(await scanned(client, "SCAN")).toEqual([[key(0), 1, -1]]);
    }),
    row(
        "7.1 8.2 an update moves a key to the end",
        async ({ client, put, key }) => {
            for (const place of [0, 1, 2]) await client.call(...put(place, "a")[0]);
            await client.call("SET", key(1), "b");
            expect(keysOf(await scanned(client, "SCAN"))).toEqual([key(0), key(2), key(1)]);
            expect(keysOf(await scanned(client, "RSCAN"))).toEqual([key(1), key(2), key(0)]);
        },
        { only: "user" },
    ),
    row(
        "8.2 sequential mode: the order of the last write too",
        async ({ client, put, key }) => {
            await client.call(...put(0, "a")[0]);
            await client.call(...put(1, "a")[0]);
            await client.call("SET", key(0), "b");
            expect(keysOf(await scanned(client, "SCAN"))).toEqual([key(1), key(0)]);
        },
        { only: "seq", differs: "issue: iteration order is LSN order" },
    ),
    row("8.2 thousands of keys, every one once, both ways, over a jump", async ({ client, put, key }) => {
        const count = 3000;
        for (let place = 0; place < count; place++) {
            if (place % 1000 === 999) await client.call("NSJUMP");
            client.send(encode(put(place, "v")[0]));
            if (place % 500 === 499) await client.replies(500);
        }
        const keys = Array.from({ length: count }, (_, place) => key(place));
        expect(keysOf(await scanned(client, "SCAN"))).toEqual(keys);
        expect(keysOf(await scanned(client, "RSCAN"))).toEqual(keys.reverse());
    }),
    row(
        "8.2 RSCAN right after a jump, and over an empty file",
        async ({ client, put, key }) => {
            await client.call(...put(0, "a")[0]);
            for (let jump = 0; jump < 3; jump++) expect(await client.call("NSJUMP")).toEqual(ok);
            expect(keysOf(await scanned(client, "RSCAN"))).toEqual([key(0)]);
            await client.call(...put(1, "a")[0]);
            expect(keysOf(await scanned(client, "RSCAN"))).toEqual([key(1), key(0)]);
        },
        { differs: "17 safe to fix: RSCAN holes" },
    ),
    row("8.1 KEYCUR gives the cursor of a key, good after its update and deletion", async ({ client, put, key }) => {
        for (const place of [0, 1, 2, 3]) await client.call(...put(place, "a")[0]);
        const cursor = latin1(await client.call("KEYCUR", key(1)));
        expect(keysOf(await scanned(client, "SCAN", cursor))).toEqual([key(2), key(3)]);
        expect(keysOf(await scanned(client, "RSCAN", cursor))).toEqual([key(0)]);
        await client.call("SET", key(1), "b");
        expect(keysOf(await scanned(client, "SCAN", cursor))).toEqual([key(2), key(3), key(1)]);
        await client.call("DEL", key(1));
        expect(keysOf(await scanned(client, "SCAN", cursor))).toEqual([key(2), key(3)]);
    }),
    row("8.1 a cursor is 17 bytes", async ({ client, put, key }) => {
        await client.call(...put(0, "a")[0]);
        expect(String(await client.call("KEYCUR", key(0)))).toHaveLength(17);
        expect(((await client.call("SCAN")) as string[])[0]).toHaveLength(17);
    }),
    row(
        "8.3 HISTORY goes back version by version, over a jump, to the deletion",
        async ({ client, put, key }) => {
            await client.call(...put(0, "first")[0]);
            for (const value of ["second", "third"]) {
                await client.call("NSJUMP");
                await client.call("SET", key(0), value, "77");
            }
            const [before, time, payload] = (await client.call("HISTORY", key(0))) as string[];
            expect([time, payload]).toEqual(["77", "third"]);
            expect(before).toHaveLength(8);
            const [first, , second] = (await client.call("HISTORY", key(0), latin1(before ?? ""))) as string[];
            expect(second).toBe("second");
            expect(await client.call("HISTORY", key(0), latin1(first ?? ""))).toEqual([null, expect.stringMatching(/^\d+$/), "first"]);
        },
        { differs: "17 safe to fix: HISTORY file bug" },
    ),
    row(
        "8.3 after DEL and SET the chain begins anew",
        async ({ client }) => {
            for (const request of [
                ["SET", "k", "a"],
                ["DEL", "k"],
                ["SET", "k", "b"],
            ])
                await client.call(...request);
            expect(await client.call("HISTORY", "k")).toEqual([null, expect.any(String), "b"]);
        },
        { only: "user" },
    ),
    row("8.3 what HISTORY refuses", async ({ client, put, key }) => {
        await client.call(...put(0, "a")[0]);
        await client.call(...put(1, "b")[0]);
        expect(await client.call("HISTORY", "absent")).toEqual(error("Key not found"));
        expect(await client.call("HISTORY", "")).toEqual(error("Key not found"));
        expect(await client.call("HISTORY")).toEqual(error("Invalid arguments"));
        expect(await client.call("HISTORY", key(0), "x", "y")).toEqual(error("Invalid arguments"));
        expect(await client.call("HISTORY", key(0), "seven b")).toEqual(error("Invalid arguments"));
        expect(await client.call("HISTORY", key(0), Buffer.alloc(8))).toEqual(error("No more history"));
        expect(await client.call("HISTORY", key(0), Buffer.alloc(8, 1))).toEqual(error("Invalid arguments (index query)"));
        await client.call("SET", key(1), "c");
        const [other] = (await client.call("HISTORY", key(1))) as string[];
        expect(await client.call("HISTORY", key(0), latin1(other ?? ""))).toEqual(error("Invalid arguments (invalid key)"));
        await client.call("DEL", key(0));
        expect(await client.call("HISTORY", key(0))).toEqual(error("Key not found"));
    }),
    row("5 NSJUMP, any argc: the next file", async (world) => {
        const { client, namespace } = world;
        const current = async (): Promise<unknown> => /data_current_id: (\d+)\n/.exec(String(await client.call("NSINFO", namespace)))?.[1];
        expect(await current()).toBe("0");
        expect(await client.call("NSJUMP", "extra")).toEqual(ok);
        expect(await current()).toBe("1");
    }),
    row(
        "8.4 DATA RAW",
        async ({ client, mode, namespace }) => {
            const first = Number(/^data_current_offset: (\d+)$/m.exec(String(await client.call("NSINFO", namespace)))?.[1]);
            const name = mode === "user" ? "1" : "";
            const key = String(await client.call("SET", name, "v", "5"));
            await client.call("SET", key, "1", "6");
            await client.call("DEL", key, "7");
            const headed = 40 + key.length;
            const second = first + headed + 1;
            const raw = (offset: number): Promise<Reply> => client.call("DATA", "RAW", "0", String(offset));
            expect(await raw(first)).toEqual([key, 0, "0x5739b3e5", 0, 5, "v"]);
            expect(await raw(second)).toEqual([key, first, "0xc288cab2", 0, 6, "1"]);
            expect(await raw(second + headed + 1)).toEqual([key, second, "0x00000000", 1, 7, null]);
            expect(await raw(second + 2 * headed + 1)).toEqual(error("EOF"));
            expect(await raw(first + 1)).toEqual(error("Unexpected Internal Error"));
            expect(await client.call("DATA", "RAW", "9", "128")).toEqual(error("Invalid Request"));
            expect(await client.call("DATA", "BOGUS", "0", "0")).toEqual(error("Unknown DATA subcommand"));
            expect(await client.call("DATA", "RAW", "0")).toEqual(error("Missing arguments"));
            expect(await client.call("DATA", "R".repeat(257), "0", "0")).toEqual(error("Argument too long"));
        },
        { differs: "issue: DATA RAW gives 6 elements with our offsets, tombstones with flags 1" },
    ),
];
