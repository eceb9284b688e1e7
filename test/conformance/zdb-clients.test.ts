import { execFile } from "node:child_process";
import * as path from "node:path";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { ok, type RespClient } from "../zdb/resp-client.ts";
import { connect, freePort } from "../zdb/running-server.ts";
import { type ServerProcess, startProcess } from "../zdb/server-process.ts";
import { temporaryDirectory } from "../zdb/temporary.ts";

const run = promisify(execFile);

/** A server as the agent makes it: closed, two namespaces behind one port, an administrator's socket. */
interface Setting {
    readonly port: number;
    readonly admin: () => Promise<RespClient>;
    readonly server: () => ServerProcess;
    /** Ends the server, runs `meanwhile`, starts it again. */
    restart(signal: NodeJS.Signals, meanwhile?: () => Promise<void>): Promise<void>;
}

async function setting(): Promise<Setting> {
    const directory = temporaryDirectory();
    const adminSocket = path.join(directory, "admin.sock");
    const argv = [
        "--data",
        path.join(directory, "data"),
        "--index",
        path.join(directory, "index"),
        "--closed",
        "--admin-socket",
        adminSocket,
    ];
    let server = await startProcess(argv);
    const admin = (): Promise<RespClient> => connect({ path: adminSocket });
    const port = await freePort();
    const client = await admin();
    for (const name of ["events", "others"]) {
        expect(await client.call("NSNEW", name)).toEqual(ok);
        expect(await client.call("NSSET", name, "password", `pw-${name}`)).toEqual(ok);
        expect(await client.call("NSSET", name, "public", "0")).toEqual(ok);
        expect(await client.call("NSSET", name, "listen", `127.0.0.1:${port}`)).toEqual(ok);
    }
    return {
        port,
        admin,
        server: () => server,
        async restart(signal, meanwhile) {
            await server.kill(signal);
            await meanwhile?.();
            server = await startProcess(argv);
        },
    };
}

const url = (port: number, namespace = "events"): string => `redis://${namespace}:pw-${namespace}@127.0.0.1:${port}`;

/** What each namespace holds, as the administrator sees it; `default` cannot be counted because nobody can write to it. */
async function counts({ admin }: Setting): Promise<Record<string, unknown>> {
    const client = await admin();
    const found: Record<string, unknown> = {};
    for (const name of ["default", "events", "others"]) {
        found[name] = /^entries: (\d+)$/m.exec(String(await client.call("NSINFO", name)))?.[1];
    }
    return found;
}

function ioredis(target: string): Redis {
    const client = new Redis(target);
    client.on("error", () => undefined);
    onTestFinished(() => client.disconnect());
    return client;
}

describe("ioredis with defaults", () => {
    test("writes and reads by URL, its hello and its questions refused without harm", async () => {
        const place = await setting();
        const client = ioredis(url(place.port));
        expect(await client.set("k", "v")).toBe("k");
        expect(await client.set("k", "v")).toBeNull();
        expect(await client.get("k")).toBe("v");
        expect(await client.mget("k", "none")).toEqual(["v", null]);
        expect(await client.exists("k")).toBe(1);
        expect(await client.dbsize()).toBe(1);
        const binary = Buffer.from([0, 255, 13, 10]);
        await client.set(binary, binary);
        expect(await client.getBuffer(binary)).toEqual(binary);
        expect(await client.del("k")).toBe("OK");
        await expect(client.del("k")).rejects.toThrow("Key not found");
        const answers = await client.pipeline().set("a", "1").get("a").del("a").exec();
        expect(answers).toEqual([
            [null, "a"],
            [null, "1"],
            [null, "OK"],
        ]);
        await expect(client.call("CONFIG", "GET", "save")).rejects.toThrow("Command not supported");
    });

    test.each(["SIGTERM", "SIGKILL"] as const)(
        "after %s and a restart it is in its namespace again, and no write ever reaches another",
        async (signal) => {
            const place = await setting();
            const [events, others] = [ioredis(url(place.port)), ioredis(url(place.port, "others"))];
            const acknowledged = new Map<string, Redis>();
            let isWriting = true;
            const write = async (client: Redis, name: string): Promise<void> => {
                for (let number = 0; isWriting; number++) {
                    const key = `${name}-${number}`;
                    // While the server is away a command may fail: it was not acknowledged.
                    const reply = await client.set(key, name).catch(() => undefined);
                    if (reply === key) acknowledged.set(key, client);
                    await new Promise((resolve) => setImmediate(resolve));
                }
            };
            const writers = [write(events, "events"), write(others, "others")];
            for (let round = 0; round < 3; round++) {
                const before = acknowledged.size;
                await reached(() => acknowledged.size > before + 100);
                await place.restart(signal);
            }
            const before = acknowledged.size;
            await reached(() => acknowledged.size > before + 100);
            isWriting = false;
            await Promise.all(writers);

            for (const [key, client] of acknowledged) {
                expect(await client.get(key)).toBe(key.split("-")[0]);
                expect(await (client === events ? others : events).get(key)).toBeNull();
            }
            const found = await counts(place);
            expect(found.default).toBe("0");
            expect(Number(found.events) + Number(found.others)).toBeGreaterThanOrEqual(acknowledged.size);
        },
    );

    test("select() is not repeated by the client after a reconnect: default refuses, nothing is written anywhere", async () => {
        const place = await setting();
        const client = ioredis(`redis://127.0.0.1:${place.port}`);
        expect(await client.call("SELECT", "events", "pw-events")).toBe("OK");
        expect(await client.set("k", "v")).toBe("k");
        await place.restart("SIGKILL");
        await expect(client.set("lost", "v")).rejects.toThrow("Namespace default is closed here");
        await expect(client.get("k")).rejects.toThrow("Namespace default is closed here");
        expect(await counts(place)).toEqual({ default: "0", events: "1", others: "0" });
    });

    test("a wrong password, another's password and a changed one are refused", async () => {
        const place = await setting();
        for (const target of [`redis://events:wrong@127.0.0.1:${place.port}`, `redis://events:pw-others@127.0.0.1:${place.port}`]) {
            const client = new Redis(target, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
            client.on("error", () => undefined);
            onTestFinished(() => client.disconnect());
            await expect(client.connect().then(() => client.set("k", "v"))).rejects.toThrow();
        }
        const client = ioredis(url(place.port));
        expect(await client.set("k", "v")).toBe("k");
        const admin = await place.admin();
        await admin.call("NSSET", "events", "password", "new");
        // Who is in stays in; who comes needs the new one.
        expect(await client.set("k", "w")).toBe("k");
        const late = ioredis(`redis://events:new@127.0.0.1:${place.port}`);
        expect(await late.get("k")).toBe("w");
        expect(await counts(place)).toEqual({ default: "0", events: "1", others: "0" });
    });
});

describe("redis-cli", () => {
    const cli = async (port: number, ...args: string[]): Promise<string> => {
        const { stdout } = await run("redis-cli", ["-p", String(port), "--no-auth-warning", ...args]);
        return stdout.trim();
    };

    test("logs in by user and by URL, across a restart, and without a password gets nowhere", async () => {
        const place = await setting();
        const { port } = place;
        expect(await cli(port, "--user", "events", "--pass", "pw-events", "SET", "k", "v")).toBe("k");
        await place.restart("SIGKILL");
        expect(await cli(port, "-u", url(port), "GET", "k")).toBe("v");
        expect(await cli(port, "-u", url(port, "others"), "GET", "k")).toBe("");
        expect(await cli(port, "SET", "k", "stray")).toContain("Namespace default is closed here");
        expect(await cli(port, "-n", "1", "SET", "k", "stray")).toMatch(/Namespace (not found|default is closed here)/);
        expect(await counts(place)).toEqual({ default: "0", events: "1", others: "0" });
    });
});

/** Resolves when the condition holds; the test's own time limit ends a vain wait. */
async function reached(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}
