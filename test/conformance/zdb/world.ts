import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { makeCertificate } from "../../zdb/certificates.ts";
import { ok, RespClient, type Where } from "../../zdb/resp-client.ts";
import { freePort } from "../../zdb/running-server.ts";
import { id } from "../../zdb/script.ts";
import { startProcess } from "../../zdb/server-process.ts";

export type Mode = "user" | "seq";
export type Transport = "tcp" | "unix" | "tls";
export const TRANSPORTS: readonly Transport[] = ["tcp", "unix", "tls"];
export const MODES: readonly Mode[] = ["user", "seq"];
export const ADMIN_PASSWORD = "the administrator's";

/** One server with clients of one kind. */
export interface Server {
    readonly mode: Mode | "mixed";
    readonly where: Where;
    stop(): Promise<void>;
}

/** What a row of the tables is tried in: a server, and a namespace of its own. */
export interface World {
    readonly mode: Mode;
    /** A new client that has said nothing yet. */
    connect(): Promise<RespClient>;
    /** New, empty, public, without a password. */
    readonly namespace: string;
    /** A client that administers, in the row's namespace. */
    readonly client: RespClient;
    /** A client that does not administer, in the row's namespace. */
    guest(): Promise<RespClient>;
    /** The key of the n-th value put, in either mode. */
    key(place: number): string;
    /** A row of a script that puts the n-th value: in sequential mode the server gives the key. */
    put(place: number, value: string): readonly [request: string[], reply: string];
}

/** Starts a server process for a group of tests, which stops it. */
export async function startServer(mode: Server["mode"], transport: Transport): Promise<Server> {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "zdb-conformance-"));
    const argv = ["--data", `${directory}/data`, "--index", `${directory}/index`, "--admin", ADMIN_PASSWORD];
    if (mode !== "mixed") argv.push("--mode", mode);
    const where = await whereFor(transport, directory, argv);
    let end = async (): Promise<void> => undefined;
    await startProcess(argv, [], (cleanUp) => {
        end = cleanUp;
    });
    return {
        mode,
        where,
        async stop() {
            await end();
            fs.rmSync(directory, { recursive: true, force: true });
        },
    };
}

async function whereFor(transport: Transport, directory: string, argv: string[]): Promise<Where> {
    if (transport === "unix") {
        argv.push("--socket", `${directory}/s`);
        return { path: `${directory}/s` };
    }
    const port = await freePort();
    argv.push("--port", String(port));
    if (transport === "tcp") return { host: "127.0.0.1", port };
    const { certFile, keyFile, cert } = makeCertificate(directory, "server");
    argv.push("--tls-cert", certFile, "--tls-key", keyFile);
    return { host: "127.0.0.1", port, tls: { ca: cert } };
}

let worlds = 0;

/** Tries a row in a namespace of its own; its clients are closed at the end. */
export async function inWorld(server: Server, mode: Mode, check: (world: World) => Promise<void>): Promise<void> {
    const clients: RespClient[] = [];
    const connect = async (): Promise<RespClient> => {
        const client = await RespClient.connect(server.where);
        clients.push(client);
        return client;
    };
    try {
        await check(await worldOf(server, mode, connect));
    } finally {
        for (const client of clients) client.close();
    }
}

async function worldOf(server: Server, mode: Mode, connect: World["connect"]): Promise<World> {
    const namespace = `row-${worlds++}`;
    const client = await connect();
    await expectOk(client, "AUTH", ADMIN_PASSWORD);
    await expectOk(client, "NSNEW", namespace);
    if (server.mode === "mixed") await expectOk(client, "NSSET", namespace, "mode", mode);
    await expectOk(client, "SELECT", namespace);
    const key = (place: number): string => (mode === "user" ? `key-${place}` : id(place));
    return {
        mode,
        connect,
        namespace,
        client,
        key,
        async guest() {
            const guest = await connect();
            await expectOk(guest, "SELECT", namespace);
            return guest;
        },
        put: (place, value) => [["SET", mode === "user" ? key(place) : "", value], key(place)],
    };
}

export async function expectOk(client: RespClient, ...request: string[]): Promise<void> {
    const reply = await client.call(...request);
    if (JSON.stringify(reply) !== JSON.stringify(ok)) throw new Error(`${request.join(" ")} was answered ${JSON.stringify(reply)}`);
}
