import { connect, createServer } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { damaged, damages } from "../../test/zstor/damage.ts";
import { fewerRuns, PATIENCE_MS } from "../../test/zstor/fuzzing.ts";
import { MemoryStore } from "../../test/zstor/memory-store.ts";
import { ApiClient } from "./api-client.ts";
import { ApiServer } from "./api-server.ts";
import { StoreError } from "./object-api.ts";

describe("over a socket", { timeout: PATIENCE_MS }, () => {
    const words = ['{"op":"stat","name":"a"}', '{"op":"list","prefix":"","limit":5}', '{"op":"get","name":"a"}', '{"op":"put","name":"a"}'];
    const requests = fc.array(fc.oneof(fc.constantFrom(...words), fc.json()), { minLength: 1, maxLength: 3 });
    const framed = (kind: string, text: string) => {
        const head = Buffer.alloc(5);
        head.writeUInt32LE(Buffer.byteLength(text));
        head.write(kind, 4);
        return Buffer.concat([head, Buffer.from(text)]);
    };

    test("a front end serves others whatever one sends", async () => {
        const memory = new MemoryStore();
        await memory.create();
        const server = new ApiServer(await memory.open());
        const path = join(temporaryDirectory(), "api.sock");
        await server.listen(path);
        onTestFinished(() => server.close());
        await fc.assert(
            fc.asyncProperty(requests, damages, async (texts, harm) => {
                await sent(path, damaged(Buffer.concat(texts.map((text) => framed("J", text))), harm));
                const client = await ApiClient.open(path);
                expect(await client.call({ op: "stat", name: "absent" })).toBeNull();
                client.close();
            }),
            fewerRuns,
        );
    });

    test("a command refuses by name whatever answers", async () => {
        let answer: Uint8Array = Buffer.alloc(0);
        const server = createServer((socket) => {
            socket.on("error", () => undefined);
            socket.once("data", () => socket.end(answer));
        });
        const path = join(temporaryDirectory(), "api.sock");
        await new Promise<void>((resolve) => server.listen(path, resolve));
        onTestFinished(() => void server.close());
        const good = fc.constantFrom('{"result":null}', '{"result":{"name":"a"}}', '{"error":{"failure":"lost","message":"m"}}');
        await fc.assert(
            fc.asyncProperty(good, damages, async (text, harm) => {
                answer = damaged(Buffer.concat([framed("J", text), framed("D", "content"), framed("E", "")]), harm);
                const client = await ApiClient.open(path);
                try {
                    for await (const part of client.get({ op: "get", name: "a" })) expect(part.length).toBeLessThanOrEqual(answer.length);
                } catch (error) {
                    expect(error).toBeInstanceOf(StoreError);
                } finally {
                    client.close();
                }
            }),
            fewerRuns,
        );
    });
});

/** Settles when the other side has ended the connection, or has taken everything and waits for more. */
function sent(path: string, bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
        const socket = connect(path, () => socket.end(bytes));
        socket.on("error", reject).on("close", () => resolve());
        socket.resume();
    });
}
