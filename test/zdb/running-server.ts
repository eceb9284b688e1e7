import * as net from "node:net";
import * as path from "node:path";
import { onTestFinished } from "vitest";
import { RespClient } from "./resp-client.ts";
import { startProcess } from "./server-process.ts";
import { temporaryDirectory } from "./temporary.ts";

/** The real server as a process of its own, reached over a unix socket unless options say otherwise. */
export interface RunningServer {
    readonly pid: number;
    readonly data: string;
    readonly lines: string[];
    /** Exit code, or the signal that ended it. */
    readonly ended: Promise<number | string>;
    /** A new client of the general socket; closed when the test ends. */
    client(): Promise<RespClient>;
    /** An orderly end. */
    stop(): Promise<void>;
}

/** Starts a server in `directory`, or in a new one. `argv` is added to the directories and the socket. */
export async function startServer(argv: readonly string[] = [], directory = temporaryDirectory()): Promise<RunningServer> {
    const data = path.join(directory, "data");
    const socket = path.join(directory, "zdb.sock");
    const { pid, lines, ended, kill } = await startProcess([
        "--data",
        data,
        "--index",
        path.join(directory, "index"),
        "--socket",
        socket,
        ...argv,
    ]);
    return {
        pid,
        data,
        lines,
        ended,
        client: () => connect({ path: socket }),
        async stop() {
            const code = await kill("SIGTERM");
            if (code !== 0) throw new Error(`the server ended with ${code}: ${lines.join(" | ")}`);
        },
    };
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
