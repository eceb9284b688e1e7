import { type Duplex, PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import type { Welcome } from "./api.ts";
import { type Handlers, openClientChannel, openServerChannel } from "./channel.ts";
import { ZeroformError } from "./errors.ts";
import { mintMachineId } from "./ids.ts";

const greeting: Welcome = { machine: mintMachineId(), protocols: [1], agentVersion: "1.2.3", agentHash: "h", epoch: 1, store: "ok" };

const pair = (handlers: Partial<Handlers>, { beatMs, hearMs = beatMs }: { readonly beatMs?: number; readonly hearMs?: number } = {}) => {
    const [toServer, toClient] = [new PassThrough(), new PassThrough()];
    const server = openServerChannel(toServer, toClient, greeting, handlers as Handlers, hearMs);
    const client = openClientChannel(toClient, toServer, beatMs);
    return { server, client, streams: [toServer, toClient] as readonly Duplex[] };
};

describe("a channel", () => {
    it("brings the welcome without being asked", async () => {
        const { client } = pair({});
        expect(await client.welcome).toEqual(greeting);
    });

    it("writes each message as one piece", async () => {
        const { client, streams } = pair({ "reconciler.sweep": async () => ({}) });
        const pieces: string[] = [];
        for (const stream of streams) stream.on("data", (piece: Buffer) => pieces.push(piece.toString("utf8")));
        await client.request("reconciler.sweep", {});
        expect(pieces).toHaveLength(3);
        for (const piece of pieces) {
            const [head = "", body = ""] = piece.split("\r\n\r\n");
            expect(head).toBe(`Content-Length: ${Buffer.byteLength(body)}`);
            expect(JSON.parse(body)).toHaveProperty("jsonrpc", "2.0");
        }
    });

    it("carries progress of the call it belongs to", async () => {
        const { promise: wasHeard, resolve: hear } = Promise.withResolvers<string>();
        const { client } = pair({
            "reconciler.sweep": async (_params, { progress }) => {
                progress("looking");
                progress("mending");
                await wasHeard;
                return {};
            },
        });
        await client.request("reconciler.sweep", {}, { onProgress: ({ doing }) => hear(doing) });
        expect(await wasHeard).toBe("mending");
    });

    it("brings the agent's own error with everything in it", async () => {
        const { client } = pair({
            "reconciler.sweep": () =>
                Promise.reject(
                    new ZeroformError({ code: "NO_ROOM", message: "3GiB free", hint: "Make room.", kind: "ZMount", name: "disk" }),
                ),
        });
        await expect(client.request("reconciler.sweep", {})).rejects.toMatchObject({
            code: "NO_ROOM",
            message: "3GiB free",
            hint: "Make room.",
            kind: "ZMount",
            resource: "disk",
        });
    });

    it("tells the other end of a cancellation and does not wait for it", async () => {
        const cancelled = Promise.withResolvers<void>();
        const { client } = pair({
            "reconciler.sweep": (_params, { signal }) => {
                signal.addEventListener("abort", () => cancelled.resolve());
                return new Promise(() => undefined);
            },
        });
        const abort = new AbortController();
        const call = client.request("reconciler.sweep", {}, { signal: abort.signal });
        await client.welcome;
        abort.abort();
        await expect(call).rejects.toMatchObject({ code: "CANCELLED" });
        await cancelled.promise;
    });

    it("ends what is under way when the other end goes away", async () => {
        const { client, streams } = pair({ "reconciler.sweep": () => new Promise(() => undefined) });
        const call = client.request("reconciler.sweep", {});
        await client.welcome;
        for (const stream of streams) stream.end();
        await expect(call).rejects.toMatchObject({ code: "SSH_LOST", retryable: true });
        await client.closed;
        await expect(client.request("reconciler.sweep", {})).rejects.toMatchObject({ code: "SSH_LOST" });
    });

    it("whose other end vanishes without a word is closed, and what it waited for is cancelled", async () => {
        const cancelled = Promise.withResolvers<void>();
        const sweeping = Promise.withResolvers<void>();
        const { client, server, streams } = pair(
            {
                "reconciler.sweep": (_params, { signal }) => {
                    signal.addEventListener("abort", () => cancelled.resolve());
                    sweeping.resolve();
                    return new Promise(() => undefined);
                },
            },
            { beatMs: 10 },
        );
        client.request("reconciler.sweep", {}).catch(() => undefined);
        await sweeping.promise;
        const [toServer] = streams;
        // The other end still writes, and nothing of it arrives.
        toServer?.cork();
        if (toServer) toServer.write = () => true;
        await server.closed;
        await cancelled.promise;
        client.close();
    });

    it("is kept as long as the other end is there, however long a call takes and nothing else is said", async () => {
        const answer = Promise.withResolvers<Record<string, never>>();
        const { client } = pair({ "reconciler.sweep": () => answer.promise }, { beatMs: 10 });
        const call = client.request("reconciler.sweep", {});
        setTimeout(() => answer.resolve({}), 300);
        expect(await call).toEqual({});
        client.close();
    });

    it("is kept for a caller of a release that says nothing of itself", async () => {
        const answer = Promise.withResolvers<Record<string, never>>();
        const [toServer, toClient] = [new PassThrough(), new PassThrough()];
        const server = openServerChannel(
            toServer,
            toClient,
            greeting,
            { "reconciler.sweep": () => answer.promise } as unknown as Handlers,
            5,
        );
        let isClosed = false;
        void server.closed.then(() => {
            isClosed = true;
        });
        const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "reconciler.sweep", params: [{ params: {} }] });
        toServer.write(`Content-Length: ${body.length}\r\n\r\n${body}`);
        setTimeout(() => answer.resolve({}), 200);
        await expect.poll(() => String(toClient.read() ?? "")).toContain('"result":{}');
        expect(isClosed).toBe(false);
        server.close();
    });
});
