import { execFile } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../../test/zdb/eventually.ts";
import { error, ok } from "../../test/zdb/resp-client.ts";
import { connect, startServer } from "../../test/zdb/running-server.ts";
import { follow, words } from "../../test/zdb/script.ts";
import { RUNTIME } from "../../test/zdb/server-process.ts";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";

const PROGRAM = fileURLToPath(new URL("./standalone.ts", import.meta.url));

describe("--protect", () => {
    test("default is read-only without the administrator's password, which AUTH alone does not stand for", async () => {
        const server = await startServer(["--admin", "secret", "--protect"]);
        const client = await server.client();
        await follow(client, [
            [words("SET k v"), error("Namespace is in read-only mode")],
            [words("GET k"), null],
            [words("AUTH secret"), ok],
            [words("SET k v"), error("Namespace is in read-only mode")],
            [words("SELECT default secret"), ok],
            [words("SET k v"), "k"],
            [words("SELECT default"), ok],
            [words("SET k w"), error("Namespace is in read-only mode")],
        ]);
        expect(await client.call("NSINFO", "default")).toContain("password: yes\n");
    });
});

describe("--show-all", () => {
    test("tells everybody about private namespaces", async () => {
        const server = await startServer(["--admin", "secret", "--show-all"]);
        const admin = await server.client();
        for (const request of ["AUTH secret", "NSNEW hidden", "NSSET hidden password pw", "NSSET hidden public 0"])
            expect(await admin.call(...words(request))).toEqual(ok);
        const client = await server.client();
        expect(await client.call("NSLIST")).toEqual(["default", "hidden"]);
        expect(await client.call("NSINFO", "hidden")).toContain("public: no\n");
        expect(await client.call("NSINFO", "hidden")).not.toContain("data_path");
    });
});

describe("--verbose", () => {
    test("says who comes, goes and is refused, without arguments", async () => {
        const server = await startServer(["--verbose"]);
        const client = await server.client();
        await client.call("AUTH", "hunter2");
        await client.call("bo\ngus", "hunter2");
        client.close();
        await eventually(() => expect(server.lines.at(-1)).toBe("client 1 left"));
        expect(server.lines.slice(1, -1)).toEqual([
            `client 1 came in by ${path.dirname(server.data)}/zdb.sock`,
            "client 1: AUTH refused: Authentication disabled",
            "client 1: bo?gus refused: Command not supported",
        ]);
    });
});

describe("--datasize", () => {
    test("is where a segment ends; a larger value has one of its own", async () => {
        const server = await startServer(["--datasize", "524288"]);
        const client = await server.client();
        for (const [key, size] of [
            ["a", 300_000],
            ["b", 300_000],
            ["c", 1_000_000],
            ["d", 1],
        ] as const)
            expect(await client.call("SET", key, Buffer.alloc(size, key))).toBe(key);
        expect(fs.readdirSync(path.join(server.data, "default")).sort()).toEqual(["d0", "d1", "d2", "d3"]);
        expect(await client.call("NSINFO", "default")).toContain("data_current_id: 3\n");
    });
});

describe("--dump", () => {
    test("opens everything, says what is there, and ends", async () => {
        const server = await startServer();
        const client = await server.client();
        await client.call("SET", "k", "value");
        await client.call("NSNEW", "one");
        await server.stop();
        const directories = ["--data", server.data, "--index", path.join(path.dirname(server.data), "index")];
        const { stdout } = await promisify(execFile)(RUNTIME, [PROGRAM, ...directories, "--dump"]);
        expect(stdout).toBe("namespace default: 1 entries, 5 bytes, mode user, ok\nnamespace one: 0 entries, 0 bytes, mode user, ok\n");
    });
});

describe("--background", () => {
    test("comes back when the server is ready, which goes on by itself and writes to its file", async () => {
        const directory = temporaryDirectory();
        const [socket, logfile] = [path.join(directory, "s"), path.join(directory, "log")];
        const argv = [PROGRAM, "--data", `${directory}/d`, "--index", `${directory}/i`, "--socket", socket, "--background", "--allow-stop"];
        const hook = path.join(directory, "hook");
        fs.writeFileSync(hook, `#!/bin/sh\n[ "$1" != ready ] || echo $PPID > ${directory}/pid\n`, { mode: 0o755 });
        await promisify(execFile)(RUNTIME, [...argv, "--logfile", logfile, "--hook", hook]);
        onTestFinished(() => {
            try {
                process.kill(Number(fs.readFileSync(`${directory}/pid`, "utf8")), "SIGKILL");
            } catch {
                // It has ended, as it should.
            }
        });
        const client = await connect({ path: socket });
        expect(await client.call(...words("SET k v"))).toBe("k");
        expect(await client.call("STOP")).toEqual({ status: "Stopping" });
        await eventually(() => expect(fs.readFileSync(logfile, "utf8")).toBe("ready\nSTOP of a client, stopping\nstopped\n"));

        const failing = promisify(execFile)(RUNTIME, [...argv, "--mode", "seq"]);
        await expect(failing).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining("is of mode user") });
    });
});
