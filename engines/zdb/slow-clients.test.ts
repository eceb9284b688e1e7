import * as fs from "node:fs";
import { expect, test } from "vitest";
import { encodeRequest, type RespClient } from "../../test/zdb/resp-client.ts";
import { startServer } from "../../test/zdb/running-server.ts";

const MIB = 1024 * 1024;
/** So many that those who take nothing use up all the memory for answers. */
const EACH = 150;

/** Memory that is the process's own. */
function privateBytes(pid: number): number {
    const match = /^RssAnon:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
    return Number(match?.[1]) * 1024;
}

test("clients that never read, never write, stop in the middle or send byte by byte harm nobody, and take no memory without bound", async () => {
    const server = await startServer();
    const client = await server.client();
    const value = "v".repeat(MIB);
    expect(await client.call("SET", "large", value)).toBe("large");
    const some = (): Promise<RespClient[]> => Promise.all(Array.from({ length: EACH }, () => server.client()));

    const [deaf, , stuck, dripping] = [await some(), await some(), await some(), await some()];
    const question = Buffer.concat(Array.from({ length: 10 }, () => encodeRequest(["MGET", ...Array.from({ length: 40 }, () => "large")])));
    for (const each of deaf) {
        each.socket.pause();
        each.send(question);
    }
    for (const each of stuck) each.send(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$8000000\r\n${"x".repeat(50_000)}`);
    const drop = encodeRequest(["SET", "drip", "drop"]);
    let sent = 0;
    const drip = setInterval(() => {
        for (const each of dripping) each.send(drop.subarray(sent % drop.length, (sent % drop.length) + 1));
        sent++;
    }, 20);

    try {
        for (let round = 0; round < 300; round++) {
            expect(await client.call("SET", `key-${round}`, `value-${round}`)).toBe(`key-${round}`);
            expect(await client.call("GET", `key-${round}`)).toBe(`value-${round}`);
        }
        // What is deaf holds its share of the answers, what is stuck its part of a request: both have a budget of 128 MiB.
        expect(privateBytes(server.pid)).toBeLessThan(500 * MIB);
        while (sent < drop.length) await new Promise((resolve) => setTimeout(resolve, 20));
    } finally {
        clearInterval(drip);
    }
    expect(await dripping[0]?.reply()).toBe("drip");
    // They may still go on when they please.
    for (const each of stuck) each.close();
    const first = deaf[0];
    for (const each of deaf.slice(1)) each.close();
    first?.socket.resume();
    const answer = await first?.reply();
    expect(answer).toHaveLength(40);
});
