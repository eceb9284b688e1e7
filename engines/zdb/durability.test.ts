import { describe, expect, test } from "vitest";
import { type FakeSocket, type InProcessServer, inProcessServer } from "../../test/zdb/in-process-server.ts";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import type { Durability } from "./durability.ts";

const turns = async (count = 8): Promise<void> => {
    for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

const request = (...args: string[]): Buffer =>
    Buffer.from(`*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join("")}`, "latin1");

interface Store extends InProcessServer {
    readonly disk: MemoryDisk;
    /** A client, after its request. */
    ask(...args: string[]): FakeSocket;
}

async function open(durability: Durability): Promise<Store> {
    const disk = new MemoryDisk("/data", "/index");
    const server = await inProcessServer(1_000_000, { disk, durability });
    const ask = (...args: string[]): FakeSocket => {
        const socket = server.connect();
        socket.emit("data", request(...args));
        return socket;
    };
    for (const [key, value] of [
        ["there", "old"],
        ["gone", "1"],
        ["same", "1"],
    ] as const) {
        ask("SET", key, value);
        await turns();
    }
    await server.store.standard.log.commit();
    await turns();
    return { ...server, disk, ask };
}

const answer = ({ taken }: FakeSocket): string => Buffer.concat(taken).toString("latin1");

/** What tells of a change that is not synced yet: each of these, asked by a client of its own. */
const TELLING = [
    "GET there",
    "GET gone",
    "MGET gone there",
    "EXISTS there",
    "EXISTS gone",
    "LENGTH there",
    "LENGTH gone",
    "KEYTIME there",
    "CHECK there",
    "CHECK gone",
    "KEYCUR there",
    "KEYCUR gone",
    "HISTORY there",
    "HISTORY gone",
    "DBSIZE",
    "SCAN",
    "RSCAN",
    "KSCAN th",
    "KSCAN gone",
    "SET there new",
    "DEL gone",
];

describe("commit", () => {
    test.each(TELLING)("%s: an answer that tells of what is not synced waits, errors and nil too", async (command) => {
        const { disk, ask } = await open({ kind: "commit" });
        disk.holdSyncs = true;
        const changes = [ask("SET", "there", "new"), ask("DEL", "gone")];
        await turns();
        const reader = ask(...command.split(" "));
        await turns();
        // MGET says first how many values there will be, which tells nothing.
        expect([...changes, reader].map(answer)).toEqual(["", "", command.startsWith("MGET") ? "*2\r\n" : ""]);
        disk.releaseSyncs();
        await turns();
        expect(answer(reader)).not.toMatch(/^(\*2\r\n)?$/);
        expect(changes.map(answer)).toEqual(["$5\r\nthere\r\n", "+OK\r\n"]);
    });

    test("what does not depend on it goes at once", async () => {
        const { disk, ask } = await open({ kind: "commit" });
        disk.holdSyncs = true;
        ask("SET", "there", "new");
        await turns();
        const others = [ask("GET", "same"), ask("SET", "same", "1"), ask("EXISTS", "same"), ask("PING")];
        await turns();
        expect(others.map(answer)).toEqual(["$1\r\n1\r\n", "$-1\r\n", ":1\r\n", "+PONG\r\n"]);
        disk.releaseSyncs();
        await turns();
    });
});

describe("interval", () => {
    test("answers go before the sync, pause when one takes longer than the interval, and go on when it ends", async () => {
        const { disk, timers, ask } = await open({ kind: "interval", ms: 1000 });
        disk.holdSyncs = true;
        expect(answer(await told(ask("SET", "there", "1")))).toBe("$5\r\nthere\r\n");
        timers.advance(500);
        await turns();
        expect(answer(await told(ask("SET", "there", "2")))).toBe("$5\r\nthere\r\n");
        timers.advance(501);
        const paused = [ask("SET", "there", "3"), ask("GET", "there"), ask("DEL", "gone"), ask("GET", "gone"), ask("DEL", "gone")];
        await turns();
        expect(paused.map(answer)).toEqual(["", "", "", "", ""]);
        expect(answer(await told(ask("GET", "same")))).toBe("$1\r\n1\r\n");
        disk.releaseSyncs();
        await turns();
        expect(paused.map(answer)).toEqual(["$5\r\nthere\r\n", "$1\r\n3\r\n", "+OK\r\n", "$-1\r\n", "-Key not found\r\n"]);
    });
});

describe("none", () => {
    test("answers go once the write of the turn is in the file; nobody waits for a sync", async () => {
        const { disk, ask } = await open({ kind: "none" });
        disk.holdSyncs = true;
        const before = disk.syncs;
        const sockets = [ask("SET", "there", "new"), ask("DEL", "gone"), ask("GET", "gone"), ask("DBSIZE")];
        await turns();
        expect(sockets.map(answer)).toEqual(["$5\r\nthere\r\n", "+OK\r\n", "$-1\r\n", ":2\r\n"]);
        expect(disk.syncs).toBe(before);
    });
});

async function told(socket: FakeSocket): Promise<FakeSocket> {
    await turns();
    return socket;
}
