import * as net from "node:net";
import * as path from "node:path";
import { onTestFinished } from "vitest";
import { parseOptions } from "../../engines/zdb/options.ts";
import { Server } from "../../engines/zdb/server.ts";
import { RespClient } from "./resp-client.ts";
import { temporaryDirectory } from "./temporary.ts";

/** A server inside the test's process, reached over a unix socket unless options say otherwise. */
export interface RunningServer {
    readonly data: string;
    readonly socket: string;
    readonly adminSocket: string;
    readonly lines: string[];
    /** A new client of the general socket; closed when the test ends. */
    client(): Promise<RespClient>;
    admin(): Promise<RespClient>;
    stop(): Promise<void>;
}

/** Starts a server in `directory`, or in a new one. `argv` is added to the directories and the socket. */
export async function startServer(argv: readonly string[] = [], directory = temporaryDirectory()): Promise<RunningServer> {
    const data = path.join(directory, "data");
    const socket = path.join(directory, "zdb.sock");
    const adminSocket = path.join(directory, "admin.sock");
    const lines: string[] = [];
    const parsed = parseOptions(["--data", data, "--index", path.join(directory, "index"), "--socket", socket, ...argv]);
    if (parsed.action !== "serve") throw new Error("no server asked for");
    const server = new Server(parsed.options, "test", (line) => lines.push(line));
    await server.start();
    let stopped: Promise<void> | undefined;
    const stop = (): Promise<void> => {
        stopped ??= server.stop();
        return stopped;
    };
    onTestFinished(stop);
    return { data, socket, adminSocket, lines, stop, client: () => connect({ path: socket }), admin: () => connect({ path: adminSocket }) };
}

/** A client that is closed when the test ends. */
export async function connect(where: Parameters<typeof RespClient.connect>[0]): Promise<RespClient> {
    const client = await RespClient.connect(where);
    onTestFinished(() => client.close());
    return client;
}

/** A TCP port of an address that nobody listens on. */
export function freePort(host = "127.0.0.1"): Promise<number> {
    return new Promise((resolve, reject) => {
        const probe = net.createServer();
        probe.once("error", reject);
        probe.listen(0, host, () => {
            const address = probe.address();
            probe.close(() => (typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port"))));
        });
    });
}
