import { createServer, type Server } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { redis } from "../os/redis.ts";
import { refuseTaken } from "./zstor-taken.ts";

const PASSWORD = "of-a-namespace";

/** A server whose namespaces hold so many entries; answers nothing when undefined. */
async function serving(entries: number | undefined): Promise<string> {
    const server: Server = createServer((socket) => {
        socket.on("error", () => undefined);
        socket.on("data", (bytes) => {
            if (entries === undefined) return;
            expect(bytes.toString()).toContain(`SELECT\r\n$4\r\nmeta\r\n$${PASSWORD.length}\r\n${PASSWORD}`);
            const info = `# namespace\nname: meta\nentries: ${entries}\nmode: user\n`;
            socket.write(`+OK\r\n$${info.length}\r\n${info}\r\n`);
        });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const at = server.address();
    if (at === null || typeof at === "string") throw new Error("it listens on a port");
    return `redis://meta:${PASSWORD}@127.0.0.1:${at.port}`;
}

const asking = { os: { redis }, signal: new AbortController().signal };

it("refuses to make a ZStor without a secret where a store lies, and names where, without the password", async () => {
    const taken = await serving(7);
    const refusal = refuseTaken({ secret: undefined, metadata: [await serving(0), taken] }, asking);
    await expect(refusal).rejects.toMatchObject({ code: "CONFLICT", hint: expect.stringContaining("Give the secret of that store") });
    await expect(refusal).rejects.toThrow(`meta at ${new URL(taken).host}`);
    await refusal.catch((error: unknown) => expect(JSON.stringify(error)).not.toContain(PASSWORD));
});

it.each([
    ["with the secret of the store", async () => ({ secret: "correct-horse-battery", metadata: [await serving(7)] })],
    ["in empty namespaces", async () => ({ secret: undefined, metadata: [await serving(0)] })],
    ["where a making was cut off before it was a store", async () => ({ secret: undefined, metadata: [await serving(1)] })],
    ["when nobody can be asked", async () => ({ secret: undefined, metadata: ["redis://meta:x@127.0.0.1:1", await serving(undefined)] })],
])("lets it be made %s", async (_, spec) => {
    await expect(refuseTaken(await spec(), asking)).resolves.toBeUndefined();
});
