import * as fs from "node:fs";
import { describe, expect, test } from "vitest";
import { inProcessServer } from "../../test/zdb/in-process-server.ts";
import { encodeRequest, error, type Reply } from "../../test/zdb/resp-client.ts";
import { startServer } from "../../test/zdb/running-server.ts";
import { OUTPUT_GRACE_MS } from "./limits.ts";

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
/** Memory that is the process's own. */
function privateBytes(pid: number): number {
    const match = /^RssAnon:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
    return Number(match?.[1]) * 1024;
}

describe("clients that do not read or write", () => {
    test("a client that takes no answers stops being served, others go on, and it gets all of them in the end", {
        timeout: 120_000,
    }, async () => {
        const server = await startServer();
        const client = await server.client();
        await client.call("SET", "k", Buffer.alloc(1_000_000, "x"));
        client.socket.pause();
        const before = privateBytes(server.pid);
        for (let place = 0; place < 400; place++) client.send("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
        const other = await server.client();
        for (let place = 0; place < 50; place++) expect(await other.call("PING")).toEqual({ status: "PONG" });
        expect(privateBytes(server.pid) - before).toBeLessThan(60_000_000);
        client.socket.resume();
        for (let place = 0; place < 400; place++) expect(String(await client.reply()).length).toBe(1_000_000);
    });

    test("answers that the kernel takes in parts arrive whole and in order", async () => {
        const client = await (await startServer()).client();
        const values = Array.from({ length: 40 }, (_, place) => String.fromCharCode(48 + place).repeat(60_000 + place * 1237));
        for (const [place, value] of values.entries()) await client.call("SET", `key-${place}`, value);
        client.socket.pause();
        for (let round = 0; round < 5; round++) for (const place of values.keys()) client.send(encodeRequest(["GET", `key-${place}`]));
        client.send(encodeRequest(["PING"]));
        client.socket.resume();
        for (let round = 0; round < 5; round++) for (const value of values) expect((await client.reply()) === value).toBe(true);
        expect(await client.reply()).toEqual({ status: "PONG" });
    });

    test("large requests that never end leave room for others", async () => {
        const server = await startServer();
        const stuck = await Promise.all(Array.from({ length: 20 }, () => server.client()));
        for (const client of stuck) client.send(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$8000000\r\n${"x".repeat(100_000)}`);
        const client = await server.client();
        expect(await client.call("SET", "small", "v".repeat(30_000))).toBe("small");
        for (const each of stuck.slice(0, 10)) each.close();
        expect(await client.call("SET", "large", "v".repeat(3_000_000))).toBe("large");
    });

    test("a client whose connection ends has the time to take its last answers, but not for ever", async () => {
        const turns = async (): Promise<void> => {
            for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve));
        };
        const { connect, timers } = await inProcessServer(1_000_000);
        const [slow, dead] = [connect(), connect()];
        for (const socket of [slow, dead]) {
            socket.isSlow = true;
            socket.emit("data", Buffer.from("junk\r\n"));
        }
        await turns();
        expect([slow, dead].map(({ hasEnded, isDestroyed }) => [hasEnded, isDestroyed])).toEqual([
            [true, false],
            [true, false],
        ]);
        timers.advance(5000);
        slow.takeAll();
        expect(Buffer.concat(slow.taken).toString()).toBe("-Malformed request, array expected\r\n");
        timers.advance(1000);
        expect([slow.isDestroyed, dead.isDestroyed]).toEqual([true, false]);
        timers.advance(2 * OUTPUT_GRACE_MS);
        expect(dead.isDestroyed).toBe(true);
    });
});
