import { type Duplex, PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import type { Welcome } from "./api.ts";
import { type Handlers, openClientChannel, openServerChannel } from "./channel.ts";
import { ZeroformError } from "./errors.ts";
import { mintMachineId } from "./ids.ts";

const greeting: Welcome = { machine: mintMachineId(), protocols: [1], agentVersion: "1.2.3", agentHash: "h", epoch: 1, store: "ok" };

const pair = (handlers: Partial<Handlers>) => {
    const [toServer, toClient] = [new PassThrough(), new PassThrough()];
    const server = openServerChannel(toServer, toClient, greeting, handlers as Handlers);
    const client = openClientChannel(toClient, toServer);
    return { server, client, streams: [toServer, toClient] as readonly Duplex[] };
};

describe("a channel", () => {
    it("brings the welcome without being asked", async () => {
        const { client } = pair({});
        expect(await client.welcome).toEqual(greeting);
    });

    it("carries progress of the call it belongs to", async () => {
        const { client } = pair({
            "reconciler.sweep": async (_params, { progress }) => {
                progress("looking");
                progress("mending");
                return {};
            },
        });
        const heard: string[] = [];
        await client.request("reconciler.sweep", {}, { onProgress: ({ doing }) => heard.push(doing) });
        expect(heard).toEqual(["looking", "mending"]);
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
});
