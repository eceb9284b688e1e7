import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { describe, expect, onTestFinished, test } from "vitest";
import { type AgentServer, agentServer, keysOf, NAMESPACES, reached, urlOf } from "./agent-server.ts";

/** Debian's own, which has the package python3-redis. */
const PYTHON = "/usr/bin/python3";
const PYTHON_WRITER = fileURLToPath(new URL("redis_py_writer.py", import.meta.url));

/** A program that writes keys which begin with the name of its namespace, as fast as it is answered. */
interface Writer {
    readonly acknowledged: Set<string>;
    stop(): Promise<void>;
}

/** Writes with `set` until stopped. While the server is away a command may fail: it was not acknowledged. */
function writing(name: string, set: (key: string) => Promise<unknown>): Writer {
    const acknowledged = new Set<string>();
    let isWriting = true;
    const done = (async () => {
        for (let number = 0; isWriting; number++) {
            const key = `${name}-${number}`;
            await set(key).then(
                () => acknowledged.add(key),
                () => undefined,
            );
            await new Promise((resolve) => setTimeout(resolve, 1));
        }
    })();
    return {
        acknowledged,
        async stop() {
            isWriting = false;
            await done;
        },
    };
}

const CLIENTS: Readonly<Record<string, (place: AgentServer, namespace: string) => Promise<Writer>>> = {
    async ioredis(place, namespace) {
        const { certificate } = place;
        const client = new Redis(urlOf(place, namespace), certificate ? { tls: { ca: certificate.cert } } : {});
        client.on("error", () => undefined);
        onTestFinished(() => client.disconnect());
        return writing(namespace, (key) => client.set(key, namespace));
    },

    async "node-redis"(place, namespace) {
        const { certificate } = place;
        const client = createClient({
            url: urlOf(place, namespace),
            ...(certificate ? { socket: { tls: true as const, ca: certificate.cert } } : {}),
        });
        client.on("error", () => undefined);
        await client.connect();
        onTestFinished(() => client.destroy());
        return writing(namespace, (key) => client.set(key, namespace));
    },

    async "redis-py"(place, namespace) {
        const { certificate } = place;
        const url = urlOf(place, namespace) + (certificate ? `?ssl_ca_certs=${certificate.certFile}` : "");
        const child = spawn(PYTHON, [PYTHON_WRITER, url, namespace], { stdio: ["pipe", "pipe", "inherit"] });
        const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
        onTestFinished(() => void child.kill("SIGKILL"));
        const acknowledged = new Set<string>();
        createInterface(child.stdout).on("line", (key) => acknowledged.add(key));
        return {
            acknowledged,
            stop() {
                child.stdin.end();
                return ended;
            },
        };
    },
};

describe.each(["redis", "rediss"])("%s:// over restarts of the server", (scheme) => {
    test.each(Object.entries(CLIENTS))(
        "%s with defaults: no write reaches another namespace, none that was acknowledged is lost",
        async (_name, client) => {
            const place = await agentServer({ tls: scheme === "rediss" });
            const writers = await Promise.all(NAMESPACES.map((namespace) => client(place, namespace)));
            const more = async (): Promise<void> => {
                const before = writers.map(({ acknowledged }) => acknowledged.size);
                await reached(() => writers.every(({ acknowledged }, each) => acknowledged.size > (before[each] ?? 0) + 30));
            };
            for (const signal of ["SIGTERM", "SIGKILL", "SIGKILL"] as const) {
                await more();
                await place.restart(signal);
            }
            await more();
            await Promise.all(writers.map((writer) => writer.stop()));

            for (const [each, namespace] of NAMESPACES.entries()) {
                const keys = await keysOf(place, namespace);
                for (const key of keys) expect(key.startsWith(`${namespace}-`), key).toBe(true);
                for (const key of writers[each]?.acknowledged ?? []) expect(keys.has(key), key).toBe(true);
            }
            const admin = await place.admin();
            expect(await admin.call("NSINFO", "default")).toContain("entries: 0\n");
        },
    );
});
