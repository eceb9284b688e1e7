import * as path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../../test/zdb/eventually.ts";
import { error, ok, type RespClient } from "../../test/zdb/resp-client.ts";
import { connect, freePort } from "../../test/zdb/running-server.ts";
import { SlowDisk } from "../../test/zdb/slow-disk.ts";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { parseOptions } from "./options.ts";
import { Server, systemParts } from "./server.ts";

const PONG = { status: "PONG" };
const MIB = 1024 * 1024;

interface Setting {
    readonly slow: SlowDisk;
    client(): Promise<RespClient>;
    /** Lets reads come until this is answered. */
    answered<T>(reply: Promise<T>): Promise<T>;
}

/** A server in this process on a disk whose reads the test lets come. */
async function setting(): Promise<Setting> {
    const slow = new SlowDisk();
    const directory = temporaryDirectory();
    const [port, data, index] = [await freePort(), path.join(directory, "data"), path.join(directory, "index")];
    const parsed = parseOptions(["--data", data, "--index", index, "--listen", `127.0.0.1:${port}`]);
    if (parsed.action !== "serve") throw new Error("no options");
    const server = new Server(parsed.options, "test", { ...systemParts, disk: slow.disk, log: () => undefined });
    await server.start();
    onTestFinished(() => server.stop());
    return {
        slow,
        client: () => connect({ host: "127.0.0.1", port }),
        async answered(reply) {
            let isDone = false;
            const done = reply.finally(() => {
                isDone = true;
            });
            while (!isDone) {
                slow.release();
                await new Promise((resolve) => setImmediate(resolve));
            }
            return done;
        },
    };
}

/** Waits until as many reads wait for the disk. */
const reading = (slow: SlowDisk, count: number): Promise<void> => eventually(() => expect(slow.waiting).toBe(count));

describe("values that are not in memory", () => {
    test("are waited for by their client only, and its answers stay in order", async () => {
        const { slow, client, answered } = await setting();
        const [first, other] = [await client(), await client()];
        for (const key of ["a", "b"]) await first.call("SET", key, `value of ${key}`);
        slow.isCold = true;
        const replies = Promise.all([
            first.call("GET", "a"),
            first.call("PING"),
            first.call("EXISTS", "b"),
            first.call("GET", "absent"),
            first.call("MGET", "b", "absent", "a"),
            first.call("GET", "b"),
        ]);
        await reading(slow, 1);
        for (let round = 0; round < 20; round++) expect(await other.call("PING")).toEqual(PONG);
        expect(slow.waiting).toBe(1);
        expect(await answered(replies)).toEqual(["value of a", PONG, 1, null, ["value of b", null, "value of a"], "value of b"]);
    });

    test("are changed by one command at a time, however long each waits", async () => {
        const { slow, client, answered } = await setting();
        // Too long to be remembered.
        const key = "k".repeat(40);
        const [one, two, three] = [await client(), await client(), await client()];
        await one.call("SET", key, "first");
        slow.isCold = true;
        const replies = Promise.all([one.call("SET", key, "second"), two.call("DEL", key), three.call("SET", key, "third")]);
        await reading(slow, 3);
        expect(await (await client()).call("PING")).toEqual(PONG);
        const [, deleted] = await answered(replies);
        expect(deleted).toEqual(ok);
        slow.isCold = false;
        const value = await two.call("GET", key);
        expect(["second", "third", null]).toContain(value);
        expect(await two.call("DBSIZE")).toBe(value === null ? 0 : 1);
        expect((await two.call("NSINFO", "default")) as string).toContain(`data_size_bytes: ${(value as string | null)?.length ?? 0}\n`);
    });

    test("a key that is gone, or changed, when its bytes have come is answered as it is then", async () => {
        const { slow, client, answered } = await setting();
        const [one, two] = [await client(), await client()];
        await one.call("SET", "gone", "v");
        await one.call("SET", "changed", "before");
        slow.isCold = true;
        const cold = [one.call("GET", "gone"), two.call("GET", "changed")];
        await reading(slow, 2);
        slow.isCold = false;
        const third = await client();
        expect(await third.call("DEL", "gone")).toEqual(ok);
        expect(await third.call("SET", "changed", "after")).toBe("changed");
        expect(await answered(Promise.all(cold))).toEqual([null, "after"]);
        slow.isCold = true;
        const missing = one.call("DEL", "gone");
        expect(await answered(missing)).toEqual(error("Key not found"));
    });

    test("a large value is read, and compared, in steps that leave others their turn", async () => {
        const { slow, client, answered } = await setting();
        const [one, other] = [await client(), await client()];
        const value = Buffer.alloc(8 * MIB, "0123456789abcdef-");
        await one.call("SET", "large", value);
        const read = one.call("GET", "large");
        for (let step = 0; step < 8; step++) {
            await reading(slow, 1);
            expect(await other.call("PING")).toEqual(PONG);
            slow.release();
        }
        expect((await read) === value.toString("latin1")).toBe(true);
        expect(await answered(one.call("SET", "large", value))).toBeNull();
        expect(slow.asked).toBe(16);
    });

    test("a client that leaves gives back the memory set aside for it", async () => {
        const { slow, client, answered } = await setting();
        const value = Buffer.alloc(8 * MIB, 1);
        const one = await client();
        await one.call("SET", "large", value);
        for (let round = 0; round < 20; round++) {
            const leaving = await client();
            leaving.send("*2\r\n$3\r\nGET\r\n$5\r\nlarge\r\n");
            await eventually(() => expect(slow.waiting).toBeGreaterThan(0));
            leaving.close();
            await leaving.closed;
            slow.release();
        }
        expect(await answered(one.call("GET", "large"))).toBe(value.toString("latin1"));
    });

    test("more of them than there is memory for come one after the other", async () => {
        const { slow, client, answered } = await setting();
        const value = Buffer.alloc(8 * MIB, 1);
        const clients = await Promise.all(Array.from({ length: 18 }, () => client()));
        await clients[0]?.call("SET", "large", value);
        const replies = clients.map((each) => each.call("GET", "large"));
        await reading(slow, 16);
        const all = await answered(Promise.all(replies));
        for (const reply of all) expect((reply as string).length).toBe(value.length);
    });
});
