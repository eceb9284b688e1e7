import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RespClient } from "../zdb/resp-client.ts";
import { freePort } from "../zdb/running-server.ts";
import { type ServerProcess, startProcess } from "../zdb/server-process.ts";

export const PASSWORD = "pass/word with: signs";

/** A real Zero-DB server with namespaces for a store. */
export interface ZdbServer {
    readonly process: ServerProcess;
    url(namespace: string): string;
}

/** Starts one in a directory, with these namespaces: private, durable at commit. */
export async function startZdb(directory: string, namespaces: readonly string[]): Promise<ZdbServer> {
    mkdirSync(directory, { recursive: true });
    const port = await freePort();
    const socket = join(directory, "admin.sock");
    const sealKey = join(directory, "seal-key");
    writeFileSync(sealKey, Buffer.alloc(32, 7), { mode: 0o600 });
    const places = ["--data", join(directory, "data"), "--index", join(directory, "index"), "--seal-key-file", sealKey];
    const process = await startProcess([...places, "--port", String(port), "--admin-socket", socket]);
    const admin = await RespClient.connect({ path: socket });
    for (const name of namespaces) {
        await admin.call("NSNEW", name);
        for (const [property, value] of [
            ["mode", "user"],
            ["password", PASSWORD],
            ["public", "0"],
            ["durability", "commit"],
        ] as const)
            await admin.call("NSSET", name, property, value);
    }
    admin.close();
    return { process, url: (namespace) => `redis://${namespace}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}` };
}
