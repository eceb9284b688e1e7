import type { Socket } from "node:net";
import * as path from "node:path";
import { Duplex } from "node:stream";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../../test/zdb/eventually.ts";
import { ManualTimers } from "../../test/zdb/manual-timers.ts";
import { MemoryDisk } from "../../test/zdb/memory-disk.ts";
import { RespClient } from "../../test/zdb/resp-client.ts";
import { connect, freePort } from "../../test/zdb/running-server.ts";
import { openStore } from "../../test/zdb/store.ts";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { Connection, type ConnectionHost } from "./connection.ts";
import { InputBudget } from "./input-budget.ts";
import { INPUT_BUDGET_BYTES, INPUT_GRACE_MS, MIN_INPUT_BYTES_PER_SECOND, OUTPUT_CHECK_MS, OUTPUT_GRACE_MS } from "./limits.ts";
import { parseOptions } from "./options.ts";
import { OutputBudget } from "./output-budget.ts";
import { Server, systemParts } from "./server.ts";
import type { Entrance } from "./session.ts";
import { Turn } from "./turn.ts";

const REQUEST = "*1\r\n$3\r\nGET\r\n";
/** More than what counts as small. */
const ANSWER_BYTES = 20_000;

/** The client's end of a connection: takes an answer when the test says so. */
class Peer extends Duplex {
    /** Answers that the client was offered. */
    offered = 0;
    private taken: (() => void) | undefined;

    override _read(): void {
        // What the client sends is pushed.
    }

    override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
        this.offered++;
        this.taken = done;
    }

    takeAnswer(): void {
        const { taken } = this;
        this.taken = undefined;
        taken?.();
    }
}

/** All that was sent is executed, and all that was answered is offered. */
async function settled(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Connections that answer each request with as many bytes, a PING with a word, and together may hold `budget` bytes of answers. */
async function setting(budget: number) {
    const { standard } = await openStore("/data", { disk: new MemoryDisk("/data") });
    const timers = new ManualTimers();
    const inputBudget = new InputBudget(INPUT_BUDGET_BYTES);
    const host: ConnectionHost = {
        turn: new Turn(() => 0),
        timers,
        inputBudget,
        outputBudget: new OutputBudget(budget, timers),
        execute: (connection, [name]) => {
            if (String(name) === "PING") connection.replies.status("PONG");
            else connection.replies.bulk(Buffer.alloc(ANSWER_BYTES));
            return undefined;
        },
        received: () => undefined,
        sent: () => undefined,
        waits: () => undefined,
        left: () => undefined,
    };
    const open = (kind: Entrance["kind"] = "general"): Peer => {
        const peer = new Peer();
        const entrance: Entrance = { key: "test", kind };
        const session = { id: 1, entrance, namespace: standard, entry: "free", admin: false, nonce: undefined } as const;
        new Connection(peer as unknown as Socket, host, { ...session });
        onTestFinished(() => void peer.destroy());
        return peer;
    };
    return { timers, inputBudget, open };
}

describe("a large request that stalls", () => {
    test("ends its connection when its time is over, not before, and gives its memory back", async () => {
        const { timers, inputBudget, open } = await setting(Number.POSITIVE_INFINITY);
        const peer = open();
        const valueBytes = 8_000_000;
        peer.push(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${valueBytes}\r\n${"x".repeat(100_000)}`);
        await settled();
        expect(timers.pending).toBe(1);
        let isWhole = false;
        inputBudget.claim(INPUT_BUDGET_BYTES, () => {
            isWhole = true;
        });

        timers.advance(INPUT_GRACE_MS + (valueBytes / MIN_INPUT_BYTES_PER_SECOND) * 1000 - 1);
        expect(peer.destroyed).toBe(false);
        expect(isWhole).toBe(false);
        timers.advance(1000);
        expect(peer.destroyed).toBe(true);
        expect(isWhole).toBe(true);
        expect(timers.pending).toBe(0);
    });

    test("that arrives in time is answered, and its time with it", async () => {
        const { timers, open } = await setting(Number.POSITIVE_INFINITY);
        const peer = open();
        peer.push(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n${"x".repeat(90_000)}`);
        await settled();
        expect(timers.pending).toBe(1);
        peer.push(`${"x".repeat(10_000)}\r\n`);
        await settled();
        expect(timers.pending).toBe(0);
        expect(peer.offered).toBe(1);
    });
});

describe("memory for answers that nobody takes", () => {
    test("is shared: when it is spent nobody is read or served but the administrator, until some is taken, in order", async () => {
        const { timers, open } = await setting(2 * ANSWER_BYTES);
        const [slow, other, third, admin] = [open(), open(), open(), open("admin")];
        for (const peer of [slow, other]) {
            peer.push(REQUEST);
            await settled();
        }
        for (const peer of [third, slow, admin]) {
            peer.push(REQUEST);
            await settled();
        }
        expect([slow, other, third, admin].map(({ offered }) => offered)).toEqual([1, 1, 0, 1]);
        expect(third.isPaused()).toBe(true);

        // Two answers of the three that are held must go before there is room.
        other.takeAnswer();
        await settled();
        expect(third.offered).toBe(0);
        admin.takeAnswer();
        await settled();
        expect(third.offered).toBe(1);
        expect(slow.offered).toBe(1);
        third.takeAnswer();
        slow.takeAnswer();
        await settled();
        expect(slow.offered).toBe(2);
        slow.takeAnswer();
        await settled();
        expect(timers.pending).toBe(0);
        expect(third.isPaused()).toBe(false);
    });

    test("still allows small answers to who has taken all before, one at a time", async () => {
        const { open } = await setting(ANSWER_BYTES);
        const [deaf, client] = [open(), open()];
        deaf.push(REQUEST);
        await settled();
        const ping = "*1\r\n$4\r\nPING\r\n";
        client.push(`${ping}${ping}${REQUEST}${ping}`);
        await settled();
        expect(client.offered).toBe(1);
        client.takeAnswer();
        await settled();
        expect(client.offered).toBe(2);
        client.takeAnswer();
        await settled();
        // The large answer has to wait, and what comes after it.
        expect(client.offered).toBe(2);
        deaf.takeAnswer();
        await settled();
        expect(client.offered).toBe(3);
        client.takeAnswer();
        await settled();
        client.takeAnswer();
        await settled();
        expect(client.offered).toBeGreaterThanOrEqual(3);
        expect(client.isPaused()).toBe(false);
    });

    test("is taken from clients that took nothing for long once it is spent, not before", async () => {
        const { timers, open } = await setting(2 * ANSWER_BYTES);
        const [stuck, late, waiting] = [open(), open(), open()];
        stuck.push(REQUEST);
        await settled();
        timers.advance(10 * OUTPUT_GRACE_MS);
        expect(stuck.destroyed).toBe(false);
        late.push(REQUEST);
        await settled();
        waiting.push(REQUEST);
        await settled();
        expect(waiting.offered).toBe(0);
        timers.advance(OUTPUT_CHECK_MS);
        await settled();
        expect([stuck, late, waiting].map(({ destroyed }) => destroyed)).toEqual([true, false, false]);
        expect(waiting.offered).toBe(1);
    });

    test("a client that goes gives back what it held", async () => {
        const { timers, open } = await setting(ANSWER_BYTES);
        const [gone, waiting] = [open(), open()];
        gone.push(REQUEST);
        await settled();
        waiting.push(REQUEST);
        await settled();
        expect(waiting.offered).toBe(0);
        gone.destroy();
        await settled();
        expect(waiting.offered).toBe(1);
        waiting.takeAnswer();
        await settled();
        expect(timers.pending).toBe(0);
    });
});

describe("clients beyond the limit", () => {
    test("are told and disconnected, until another leaves", async () => {
        const directory = temporaryDirectory();
        const port = await freePort();
        const parsed = parseOptions([
            "--data",
            path.join(directory, "data"),
            "--index",
            path.join(directory, "index"),
            "--listen",
            `127.0.0.1:${port}`,
            "--admin-socket",
            path.join(directory, "admin.sock"),
        ]);
        if (parsed.action !== "serve") throw new Error("no options");
        const server = new Server(parsed.options, "test", { ...systemParts, maxConnections: 2, log: () => undefined });
        await server.start();
        onTestFinished(() => server.stop());
        const where = { host: "127.0.0.1", port };
        const [first, second] = [await connect(where), await connect(where)];
        for (const client of [first, second]) expect(await client.call("PING")).toEqual({ status: "PONG" });
        const third = await connect(where);
        expect(await third.reply()).toEqual({ error: "Too many connections" });
        await third.closed;
        const admin = await connect({ path: path.join(directory, "admin.sock") });
        expect(await admin.call("PING")).toEqual({ status: "PONG" });
        admin.close();
        await admin.closed;
        for (const client of [first, second]) expect(await client.call("PING")).toEqual({ status: "PONG" });

        first.close();
        await eventually(async () => {
            const late = await RespClient.connect(where);
            onTestFinished(() => late.close());
            expect(await late.call("PING")).toEqual({ status: "PONG" });
        });
    });
});
