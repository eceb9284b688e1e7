import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseReply, redis } from "./redis.ts";

describe("an answer in the Redis protocol", () => {
    it("is not there before its last byte, and is then the same however it was cut", () => {
        const whole = Buffer.from("*4\r\n$5\r\nh\r\nlo\r\n:42\r\n$-1\r\n-Namespace not found\r\n+OK\r\n");
        fc.assert(
            fc.property(fc.integer({ min: 0, max: whole.length - 6 }), (length) => {
                expect(parseReply(whole.subarray(0, length), 0)).toBeUndefined();
            }),
        );
        const first = parseReply(whole, 0);
        expect(first).toEqual({ reply: ["h\r\nlo", 42, null, new Error("Namespace not found")], next: whole.length - 5 });
        expect(parseReply(whole, first?.next ?? 0)).toEqual({ reply: "OK", next: whole.length });
    });

    it("of another protocol is an error, not a wait", () => {
        expect(parseReply(Buffer.from("HTTP/1.1 400 Bad Request\r\n"), 0)?.reply).toBeInstanceOf(Error);
    });

    it("ends whatever a server that is somebody else's by now sends", () => {
        for (const hostile of ["$x\r\n", "$-7\r\n", "$1e9\r\n", "*x\r\n", "*-3\r\n", `${"*1\r\n".repeat(20_000)}:1\r\n`]) {
            const text = Buffer.from(hostile.repeat(2));
            let from = 0;
            for (let parsed = parseReply(text, from); parsed !== undefined; parsed = parseReply(text, from)) {
                expect(parsed.next).toBeGreaterThan(from);
                from = parsed.next;
            }
        }
        fc.assert(
            fc.property(fc.array(fc.constantFrom("*", "$", ":", "+", "-", "1", "9", "x", "\r\n"), { maxLength: 40 }), (parts) => {
                const parsed = parseReply(Buffer.from(parts.join("")), 0);
                if (parsed) expect(parsed.next).toBeGreaterThan(0);
            }),
        );
    });
});

describe("asking a server", () => {
    let directory: string;
    beforeEach(async () => {
        directory = await mkdtemp(join(tmpdir(), "zf-redis-"));
    });
    afterEach(() => rm(directory, { recursive: true, force: true }));

    const serve = async (answer: string) => {
        const path = join(directory, "socket");
        const heard: string[] = [];
        const server = createServer((socket) => {
            socket.on("data", (data) => {
                heard.push(data.toString());
                socket.write(answer);
            });
            socket.on("error", () => {});
        });
        await new Promise<void>((resolve) => server.listen(path, resolve));
        return { path, heard, [Symbol.dispose]: () => server.close() };
    };

    it("sends all in one go and tells refusals from answers", async () => {
        using server = await serve("+PONG\r\n-Namespace not found\r\n");
        expect(await redis.ask(server.path, [["PING"], ["NSINFO", "a b"]])).toEqual(["PONG", new Error("Namespace not found")]);
        expect(server.heard.join("")).toBe("*1\r\n$4\r\nPING\r\n*2\r\n$6\r\nNSINFO\r\n$3\r\na b\r\n");
    });

    it("fails in words when there is no server or it hangs up", async () => {
        await expect(redis.ask(join(directory, "nobody"), [["PING"]])).rejects.toMatchObject({ code: "NOT_READY", retryable: true });
        const path = join(directory, "rude");
        const server = createServer((socket) => socket.destroy());
        await new Promise<void>((resolve) => server.listen(path, resolve));
        await expect(redis.ask(path, [["PING"]])).rejects.toMatchObject({ code: "NOT_READY" });
        server.close();
    });

    it("ends when the server says nothing", async () => {
        using server = await serve("");
        await expect(redis.ask(server.path, [["PING"]], { silenceMs: 20 })).rejects.toMatchObject({
            code: "TIMEOUT",
            message: expect.stringContaining("silent for 0.02 s"),
        });
    });

    it("ends when the server sends a little now and then for ever, or more answers than were asked for", async () => {
        const path = join(directory, "dripping");
        const server = createServer((socket) => {
            const drip = setInterval(() => socket.write("."), 5);
            socket.on("close", () => clearInterval(drip)).on("error", () => {});
        });
        await new Promise<void>((resolve) => server.listen(path, resolve));
        await expect(redis.ask(path, [["PING"]], { silenceMs: 1_000, longestMs: 50 })).rejects.toMatchObject({
            code: "TIMEOUT",
            message: expect.stringContaining("does not end"),
        });
        server.close();
        using chatty = await serve("+PONG\r\n$x\r\n$x\r\n");
        expect(await redis.ask(chatty.path, [["PING"]])).toEqual(["PONG"]);
    });

    it("ends when nobody waits", async () => {
        using server = await serve("");
        const abort = new AbortController();
        const asking = redis.ask(server.path, [["PING"]], { signal: abort.signal });
        abort.abort();
        await expect(asking).rejects.toThrow("nobody waits");
    });
});
