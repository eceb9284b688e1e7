import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import ssh2 from "ssh2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reach } from "../../schema/on-node.ts";
import type { Connection } from "./connection.ts";
import { NodePool } from "./pool.ts";

const TOGETHER_MS = 20;
const never = new AbortController().signal;
const closing: { close(): unknown }[] = [];
const pool = new NodePool();
let connection: Connection;

const listening = async (server: Server): Promise<number> => {
    closing.unshift(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
};

/** Hands on what the server sends in pieces as large as they come to be in a while, as a busy machine reads them. */
const lumpy = (port: number) =>
    createServer((near) => {
        const far = connect(port, "127.0.0.1");
        let held: Buffer[] = [];
        far.on("data", (chunk) => {
            if (held.length === 0)
                setTimeout(() => {
                    near.write(Buffer.concat(held));
                    held = [];
                }, TOGETHER_MS);
            held.push(chunk);
        });
        near.pipe(far);
        for (const socket of [near, far]) socket.on("error", () => undefined).on("close", () => [near, far].map((each) => each.destroy()));
    });

beforeAll(async () => {
    const [host, user] = [ssh2.utils.generateKeyPairSync("ed25519"), ssh2.utils.generateKeyPairSync("ed25519")];
    const server = new ssh2.Server({ hostKeys: [host.private] }, (client) => {
        client
            .on("error", () => undefined)
            .on("authentication", (attempt) => (attempt.method === "publickey" ? attempt.accept() : attempt.reject()));
        client.on("session", (accept) =>
            accept().on("exec", (begin, _, { command }) => {
                const channel = begin();
                channel.write("said");
                if (/^[A-Z]/.test(command)) channel.exit(command);
                else channel.exit(Number(command));
                channel.end();
            }),
        );
    }) as unknown as Server;
    const port = await listening(lumpy(await listening(server)));
    connection = await pool.connection(reach.parse({ host: "127.0.0.1", port, user: "root", privateKey: user.private }), never);
});
afterAll(async () => {
    await pool.end();
    for (const each of closing) each.close();
});

describe("a command that ends before the news of its beginning are read", () => {
    it("has an exit status and everything that it said", async () => {
        expect(await connection.run("3", { signal: never, timeoutMs: 10_000, doing: "testing" })).toEqual({
            code: 3,
            stdout: "said",
            stderr: "",
        });
    });

    it("tells by which signal it was ended", async () => {
        const { channel, exit } = await connection.open("TERM", never);
        channel.resume();
        expect(await exit).toEqual({ code: undefined, signal: "SIGTERM" });
    });
});
