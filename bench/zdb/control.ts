import * as net from "node:net";
import type { BenchServer } from "./servers.ts";

/** Sends one request and gives the first line of its answer, for what is asked beside the load. */
export function ask({ port }: BenchServer, ...parts: readonly string[]): Promise<string> {
    return new Promise((resolve, reject) => {
        const client = net.connect({ host: "127.0.0.1", port });
        let text = "";
        client.on("connect", () => client.write(`*${parts.length}\r\n${parts.map((part) => `$${part.length}\r\n${part}\r\n`).join("")}`));
        client.on("data", (chunk) => {
            text += chunk.toString("latin1");
            const end = text.indexOf("\r\n");
            if (end < 0) return;
            client.destroy();
            if (text.startsWith("-")) reject(new Error(`${parts[0]}: ${text.slice(1, end)}`));
            else resolve(text.slice(0, end));
        });
        client.on("error", reject);
    });
}
