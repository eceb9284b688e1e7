import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { agentServer, counts, urlOf } from "./agent-server.ts";

const run = promisify(execFile);

function ioredis(target: string): Redis {
    const client = new Redis(target);
    client.on("error", () => undefined);
    onTestFinished(() => client.disconnect());
    return client;
}

describe("ioredis with defaults", () => {
    test("writes and reads by URL, its hello and its questions refused without harm", async () => {
        const place = await agentServer();
        const client = ioredis(urlOf(place));
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

    test("select() is not repeated by the client after a reconnect: default refuses, nothing is written anywhere", async () => {
        const place = await agentServer();
        const client = ioredis(`redis://127.0.0.1:${place.port}`);
        expect(await client.call("SELECT", "events", "pw-events")).toBe("OK");
        expect(await client.set("k", "v")).toBe("k");
        await place.restart("SIGKILL");
        await expect(client.set("lost", "v")).rejects.toThrow("Namespace default is closed here");
        await expect(client.get("k")).rejects.toThrow("Namespace default is closed here");
        expect(await counts(place)).toEqual({ default: "0", events: "1", others: "0" });
    });

    test("a wrong password, another's password and a changed one are refused", async () => {
        const place = await agentServer();
        for (const target of [`redis://events:wrong@127.0.0.1:${place.port}`, `redis://events:pw-others@127.0.0.1:${place.port}`]) {
            const client = new Redis(target, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
            client.on("error", () => undefined);
            onTestFinished(() => client.disconnect());
            await expect(client.connect().then(() => client.set("k", "v"))).rejects.toThrow();
        }
        const client = ioredis(urlOf(place));
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
        const place = await agentServer();
        const { port } = place;
        expect(await cli(port, "--user", "events", "--pass", "pw-events", "SET", "k", "v")).toBe("k");
        await place.restart("SIGKILL");
        expect(await cli(port, "-u", urlOf(place), "GET", "k")).toBe("v");
        expect(await cli(port, "-u", urlOf(place, "others"), "GET", "k")).toBe("");
        expect(await cli(port, "SET", "k", "stray")).toContain("Namespace default is closed here");
        expect(await cli(port, "-n", "1", "SET", "k", "stray")).toMatch(/Namespace (not found|default is closed here)/);
        expect(await counts(place)).toEqual({ default: "0", events: "1", others: "0" });
    });
});
