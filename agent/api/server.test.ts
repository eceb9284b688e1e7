import { mkdtempSync, rmSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openClientChannel } from "../../protocol/channel.ts";
import { mintSessionId } from "../../protocol/ids.ts";
import { Bench } from "../../test/agent/fakes/bench.ts";
import { LARGEST_MESSAGE_BYTES } from "./message-limit.ts";
import { type ApiServer, listen } from "./server.ts";

let directory = "";
let bench: Bench;
let server: ApiServer;
const sockets: Socket[] = [];

beforeEach(async () => {
    directory = mkdtempSync(`${tmpdir()}/zfa-socket-`);
    bench = new Bench();
    server = await listen(bench.agent, `${directory}/run/agent.sock`);
});
afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await server.close();
    await bench[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
});

const dial = (firstLine: string): Socket => {
    const socket = connect(`${directory}/run/agent.sock`);
    socket.on("error", () => undefined);
    socket.write(firstLine);
    sockets.push(socket);
    return socket;
};

const channel = (introduction: object) => {
    const socket = dial(`${JSON.stringify(introduction)}\n`);
    return { socket, client: openClientChannel(socket, socket) };
};

const ended = (socket: Socket) => new Promise<void>((resolve) => socket.once("close", () => resolve()));

describe("the agent's socket", () => {
    it("is root's alone", () => {
        expect(statSync(`${directory}/run`).mode & 0o777).toBe(0o700);
        expect(statSync(`${directory}/run/agent.sock`).mode & 0o777).toBe(0o600);
    });

    it("greets whoever introduces itself, and answers", async () => {
        const { client } = channel({ protocols: [1], session: mintSessionId() });
        expect(await client.welcome).toMatchObject({ machine: bench.machine, epoch: 1, store: "ok" });
        expect(await client.request("status", {})).toMatchObject({ resources: [] });
        client.close();
    });

    it("lets an observer look and change nothing", async () => {
        const { client } = channel({ protocols: [1] });
        expect(await client.welcome).toMatchObject({ epoch: 0 });
        await expect(client.request("reconciler.sweep", {})).rejects.toMatchObject({ code: "INVALID" });
        client.close();
    });

    it("says which protocols it speaks to one that speaks another", async () => {
        const { client } = channel({ protocols: [99, 98], session: mintSessionId() });
        const welcome = await client.welcome;
        expect(welcome).toMatchObject({ protocols: [2, 1] });
        expect(welcome).not.toHaveProperty("protocol");
        await expect(client.request("status", {})).rejects.toMatchObject({ code: "PROTOCOL_MISMATCH" });
        client.close();
    });

    it("speaks the newest protocol that both ends speak, and says which", async () => {
        const { client } = channel({ protocols: [1, 2, 3], session: mintSessionId() });
        expect(await client.welcome).toMatchObject({ protocol: 2 });
        expect(await client.request("status", {})).toMatchObject({ welcome: { protocol: 2 } });
        client.close();
    });

    it.each([
        ["says something else first", "GET / HTTP/1.1\r\n\r\n\n"],
        ["introduces itself at endless length", "x".repeat(10_000)],
        ["has no valid session", '{"protocols":[1],"session":"root"}\n'],
    ])("hangs up on one that %s", async (_, words) => {
        await ended(dial(words));
    });

    it("hangs up on a message that is too large, before it has come", async () => {
        const { socket, client } = channel({ protocols: [1] });
        await client.welcome;
        const closed = ended(socket);
        socket.write(`Content-Length: ${LARGEST_MESSAGE_BYTES + 1}\r\n\r\n`);
        await closed;
    });

    it("takes messages that come in pieces, and several at once", async () => {
        const { client, socket } = channel({ protocols: [1] });
        await client.welcome;
        const text = (id: number) => JSON.stringify({ jsonrpc: "2.0", id, method: "trash.list", params: [{ params: {} }] });
        const message = (id: number) => `Content-Length: ${text(id).length}\r\n\r\n${text(id)}`;
        const heard = Promise.withResolvers<void>();
        let said = "";
        socket.on("data", (chunk: Buffer) => {
            said += chunk.toString();
            if (said.includes('"id":8001') && said.includes('"id":8002')) heard.resolve();
        });
        const all = message(8001) + message(8002);
        for (let at = 0; at < all.length; at += 7) socket.write(all.slice(at, at + 7));
        await heard.promise;
        client.close();
    });

    it("notices that a session is gone when its connection breaks", async () => {
        const session = mintSessionId();
        const { socket, client } = channel({ protocols: [1], session });
        await client.welcome;
        await bench.clock.advance(10_000);
        expect(bench.agent.core.sessions.hasEnded(session)).toBe(false);
        socket.destroy();
        await expect.poll(() => bench.clock.advance(2_000).then(() => bench.agent.core.sessions.hasEnded(session))).toBe(true);
    });

    it("drops everybody when it is closed", async () => {
        const { socket, client } = channel({ protocols: [1] });
        await client.welcome;
        const closed = ended(socket);
        await server.close();
        await closed;
    });
});
