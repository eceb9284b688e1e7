import * as path from "node:path";
import { expect } from "vitest";
import { type Certificate, makeCertificate } from "../../zdb/certificates.ts";
import { ok, type RespClient } from "../../zdb/resp-client.ts";
import { connect, freePort } from "../../zdb/running-server.ts";
import { type ServerProcess, startProcess } from "../../zdb/server-process.ts";
import { temporaryDirectory } from "../../zdb/temporary.ts";

/** A server as the agent makes it: closed, two private namespaces behind one port, an administrator's socket. */
export interface AgentServer {
    readonly port: number;
    /** What TCP speaks TLS with, if it does. */
    readonly certificate: Certificate | undefined;
    readonly admin: () => Promise<RespClient>;
    readonly server: () => ServerProcess;
    /** Ends the server, runs `meanwhile`, starts it again. */
    restart(signal: NodeJS.Signals, meanwhile?: () => Promise<void>): Promise<void>;
}

export const NAMESPACES = ["events", "others"] as const;

export async function agentServer(options: { readonly tls?: boolean } = {}): Promise<AgentServer> {
    const directory = temporaryDirectory();
    const adminSocket = path.join(directory, "admin.sock");
    const certificate = options.tls ? makeCertificate(directory, "server") : undefined;
    const argv = [
        ...["--data", path.join(directory, "data"), "--index", path.join(directory, "index"), "--closed", "--admin-socket", adminSocket],
        ...(certificate ? ["--tls-cert", certificate.certFile, "--tls-key", certificate.keyFile] : []),
    ];
    let server = await startProcess(argv);
    const admin = (): Promise<RespClient> => connect({ path: adminSocket });
    const port = await freePort();
    const client = await admin();
    for (const name of NAMESPACES) {
        expect(await client.call("NSNEW", name)).toEqual(ok);
        expect(await client.call("NSSET", name, "password", `pw-${name}`)).toEqual(ok);
        expect(await client.call("NSSET", name, "public", "0")).toEqual(ok);
        expect(await client.call("NSSET", name, "listen", `127.0.0.1:${port}`)).toEqual(ok);
    }
    return {
        port,
        certificate,
        admin,
        server: () => server,
        async restart(signal, meanwhile) {
            await server.kill(signal);
            await meanwhile?.();
            server = await startProcess(argv);
        },
    };
}

/** What a program is given to reach a namespace. */
export const urlOf = ({ port, certificate }: AgentServer, namespace = "events"): string =>
    `${certificate ? "rediss" : "redis"}://${namespace}:pw-${namespace}@127.0.0.1:${port}`;

/** What each namespace holds, as the administrator sees it; `default` cannot be counted because nobody can write to it. */
export async function counts({ admin }: AgentServer): Promise<Record<string, unknown>> {
    const client = await admin();
    const found: Record<string, unknown> = {};
    for (const name of ["default", ...NAMESPACES]) {
        found[name] = /^entries: (\d+)$/m.exec(String(await client.call("NSINFO", name)))?.[1];
    }
    return found;
}

/** All keys of a namespace. */
export async function keysOf({ admin }: AgentServer, namespace: string): Promise<Set<string>> {
    const client = await admin();
    expect(await client.call("SELECT", namespace)).toEqual(ok);
    const keys = new Set<string>();
    for (let cursor: Buffer[] = []; ; ) {
        const reply = await client.call("SCAN", ...cursor);
        if (!Array.isArray(reply)) return keys;
        const [next, entries] = reply as [string, [string][]];
        for (const [key] of entries) keys.add(key);
        cursor = [Buffer.from(next, "latin1")];
    }
}

/** Resolves when the condition holds; the test's own time limit ends a vain wait. */
export async function reached(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}
