import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, test } from "vitest";
import { error, ok, type RespClient } from "../../test/zdb/resp-client.ts";
import { connect, freePort, startServer } from "../../test/zdb/running-server.ts";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";

const words = (text: string): string[] => text.split(" ");
const sha1 = (text: string): string => createHash("sha1").update(text).digest("hex");

async function nonce(client: RespClient): Promise<string> {
    const reply = await client.call("AUTH", "SECURE", "CHALLENGE");
    return (reply as { status: string }).status;
}

describe("AUTH", () => {
    test("without an admin password everybody administers and there is nothing to give", async () => {
        const client = await (await startServer()).client();
        expect(await client.call("AUTH", "x")).toEqual(error("Authentication disabled"));
        expect(await client.call("AUTH", "SECURE", "0".repeat(40))).toEqual(error("Authentication disabled"));
        expect(await client.call("AUTH")).toEqual(error("Unexpected arguments"));
        expect(await client.call(...words("AUTH a b c"))).toEqual(error("Unexpected arguments"));
        expect(await client.call(...words("NSNEW one"))).toEqual(ok);
    });

    test("with one, administration needs it, in clear or by challenge", async () => {
        const server = await startServer(["--admin", "secret"]);
        const client = await server.client();
        for (const request of ["NSNEW one", "NSDEL one", "NSSET one mode seq", "NSDETACH a b", "NSATTACH a b", "SET k v 1", "DEL k 1"]) {
            expect(await client.call(...words(request))).toEqual(error("Permission denied"));
        }
        expect(await client.call("NSNEW")).toEqual(error("Permission denied"));
        expect(await client.call("AUTH", "p".repeat(129))).toEqual(error("Password too long"));
        expect(await client.call("AUTH", "secret")).toEqual(ok);
        expect(await client.call("NSNEW", "one")).toEqual(ok);

        const other = await server.client();
        expect(await other.call("AUTH", "SECURE", sha1("x"))).toEqual(error("No CHALLENGE requested, secure authentication not available"));
        const challenge = await nonce(other);
        expect(challenge).toMatch(/^[0-9a-f]{16}$/);
        expect(await other.call("AUTH", "SECURE", "short")).toEqual(error("Invalid hash length"));
        expect(await other.call("auth", "secure", sha1(`${challenge}:secret`))).toEqual(ok);
        expect(await other.call("NSNEW", "two")).toEqual(ok);
        expect(await other.call("AUTH", "SECURE", sha1(`${challenge}:secret`))).toEqual(
            error("No CHALLENGE requested, secure authentication not available"),
        );
        expect(await nonce(other)).not.toBe(challenge);
    });

    test("a wrong password is answered late, to that client only, and changes nothing", async () => {
        const server = await startServer(["--admin", "secret"]);
        const client = await server.client();
        const startedMs = performance.now();
        const refused = client.call("AUTH", "wrong");
        client.send("*1\r\n$4\r\nPING\r\n");
        const other = await server.client();
        expect(await other.call("PING")).toEqual({ status: "PONG" });
        const otherMs = performance.now() - startedMs;
        expect(await refused).toEqual(error("Access denied"));
        expect(performance.now() - startedMs).toBeGreaterThan(950);
        expect(otherMs).toBeLessThan(900);
        expect(await client.reply()).toEqual({ status: "PONG" });
        expect(await client.call("NSNEW", "one")).toEqual(error("Permission denied"));
    });
});

describe("SELECT", () => {
    test("public with a password: read-only without it; private: not at all; the password in clear, by challenge, or by AUTH", async () => {
        const server = await startServer();
        const admin = await server.client();
        for (const request of ["NSNEW one", "SELECT one", "SET k v", "NSSET one password pw", "NSNEW open"]) {
            await admin.call(...words(request));
        }
        const client = await server.client();
        expect(await client.call(...words("SELECT one"))).toEqual(ok);
        expect(await client.call(...words("GET k"))).toBe("v");
        expect(await client.call(...words("SET k w"))).toEqual(error("Namespace is in read-only mode"));
        expect(await client.call(...words("DEL k"))).toEqual(error("Namespace is in read-only mode"));

        await admin.call(...words("NSSET one public 0"));
        const other = await server.client();
        expect(await other.call("SELECT", "one")).toEqual(error("Namespace protected and private"));
        expect(await other.call("SELECT")).toEqual(error("Invalid argument"));
        expect(await other.call(...words("SELECT a b c d"))).toEqual(error("Too many arguments"));
        expect(await other.call(...words("SELECT none"))).toEqual(error("Namespace not found"));
        expect(await other.call("SELECT", "0")).toEqual(error("Namespace not found"));
        expect(await other.call("SELECT", "one", "p".repeat(256))).toEqual(error("Password too long"));
        expect(await other.call(...words("SELECT one SECRET hash"))).toEqual(error("Only SECURE extra method supported"));
        expect(await other.call("SELECT", "one", "SECURE", sha1("x"))).toEqual(
            error("No CHALLENGE requested, secure authentication not available"),
        );
        expect(await other.call(...words("SET in default"))).toBe("in");
        const challenge = await nonce(other);
        expect(await other.call("SELECT", "one", "SECURE", "x")).toEqual(error("Invalid hash length"));
        expect(await other.call("SELECT", "one", "SECURE", sha1(`${challenge}:pw`))).toEqual(ok);
        expect(await other.call(...words("SET k w"))).toBe("k");
        expect(await other.call(...words("SELECT open whatever"))).toEqual(ok);
        expect(await other.call(...words("AUTH one pw"))).toEqual(ok);
        expect(await other.call(...words("GET k"))).toBe("w");
        expect(await other.call(...words("SELECT one pw"))).toEqual(ok);

        const [wrong, wrongAuth] = [await server.client(), await server.client()];
        const answers = await Promise.all([wrong.call(...words("SELECT one no")), wrongAuth.call(...words("AUTH one no"))]);
        expect(answers).toEqual([error("Access denied"), error("Access denied")]);
        expect(await wrong.call("GET", "in")).toBe("default");
    });

    test("private namespaces of others are not told of", async () => {
        const server = await startServer(["--admin", "secret"]);
        const admin = await server.client();
        for (const request of ["AUTH secret", "NSNEW hidden", "NSSET hidden public 0", "NSSET hidden password pw", "NSNEW seen"]) {
            await admin.call(...words(request));
        }
        const client = await server.client();
        expect(await client.call("NSLIST")).toEqual(["default", "seen"]);
        expect(await client.call("NSINFO", "hidden")).toEqual(error("Namespace not found"));
        expect(await client.call("NSINFO", "seen")).not.toContain("data_path");
        await client.call(...words("SELECT hidden pw"));
        expect(await client.call("NSLIST")).toEqual(["default", "hidden", "seen"]);
        expect(await client.call("NSINFO", "hidden")).toContain("name: hidden\n");
        expect(await admin.call("NSINFO", "hidden")).toContain("data_path: ");
    });
});

describe("a closed server", () => {
    test("has its administrator's socket for its owner only, shuts default, and serves namespaces where they asked", async () => {
        const directory = temporaryDirectory();
        const server = await startServer(["--closed", "--admin-socket", path.join(directory, "admin.sock")]);
        const admin = await connect({ path: path.join(directory, "admin.sock") });
        expect(fs.statSync(path.join(directory, "admin.sock")).mode & 0o777).toBe(0o600);
        const shut = error("Namespace default is closed here, use SELECT <namespace> <password> or AUTH <namespace> <password>");
        for (const request of ["SET k v", "GET k", "MGET k", "DEL k", "EXISTS k", "DBSIZE"]) {
            expect(await admin.call(...words(request)), request).toEqual(shut);
        }
        const port = await freePort();
        for (const request of ["NSNEW one", "NSSET one password pw", "NSSET one public 0", "NSNEW two", "NSSET two password pw2"]) {
            expect(await admin.call(...words(request))).toEqual(ok);
        }
        expect(await admin.call("NSINFO", "one")).toContain("listening: no (no listener asked for)\n");
        expect(await admin.call("NSSET", "one", "listen", `127.0.0.1:${port}`)).toEqual(ok);
        expect(await admin.call("NSINFO", "one")).toContain(`listen: 127.0.0.1:${port}\nlistening: yes\n`);

        const client = await connect({ host: "127.0.0.1", port });
        expect(await client.call("PING")).toEqual({ status: "PONG" });
        expect(await client.call(...words("SET k v"))).toEqual(shut);
        expect(await client.call(...words("NSNEW three"))).toEqual(error("Permission denied"));
        expect(await client.call("NSLIST")).toEqual([]);
        expect(await client.call("NSINFO", "two")).toEqual(error("Namespace not found"));
        expect(await client.call(...words("SELECT two pw2"))).toEqual(error("Namespace not found"));
        expect(await client.call(...words("AUTH one pw"))).toEqual(ok);
        expect(await client.call(...words("SET k v"))).toBe("k");
        expect(await client.call("NSLIST")).toEqual(["one"]);
        // The administrator enters without the password.
        expect(await admin.call(...words("SELECT one"))).toEqual(ok);
        expect(await admin.call(...words("GET k"))).toBe("v");
        // The general socket is no listener of a namespace.
        const general = await server.client();
        expect(await general.call(...words("SELECT one pw"))).toEqual(error("Namespace not found"));
        expect(await general.call(...words("NSNEW three"))).toEqual(error("Permission denied"));
    });
});

describe("listeners of namespaces", () => {
    test("come back after a restart, move with the property, and part only with those who may not stay", async () => {
        const first = await startServer();
        const [shared, own] = [await freePort(), await freePort()];
        const admin = await first.client();
        for (const name of ["one", "two"]) {
            await admin.call("NSNEW", name);
            await admin.call("NSSET", name, "password", `pw-${name}`);
            expect(await admin.call("NSSET", name, "listen", `127.0.0.1:${shared}`)).toEqual(ok);
        }
        // A namespace with listeners is behind those only.
        expect(await admin.call(...words("SELECT one pw-one"))).toEqual(error("Namespace not found"));
        await first.stop();

        const server = await startServer([], path.dirname(first.data));
        const again = await server.client();
        const [one, two, idle] = await Promise.all([1, 2, 3].map(() => connect({ host: "127.0.0.1", port: shared })));
        if (!one || !two || !idle) throw new Error("not connected");
        expect(await one.call(...words("AUTH one pw-one"))).toEqual(ok);
        expect(await two.call(...words("AUTH two pw-two"))).toEqual(ok);
        // Neither a password nor a size nor another's listener disturbs anyone.
        await again.call(...words("NSSET one password new"));
        await again.call(...words("NSSET one maxsize 1000"));
        await again.call("NSSET", "two", "listen", `127.0.0.1:${shared},127.0.0.1:${own}`);
        for (const client of [one, two, idle]) expect(await client.call("PING")).toEqual({ status: "PONG" });

        await again.call("NSSET", "two", "listen", `127.0.0.1:${own}`);
        await two.closed;
        for (const client of [one, idle]) expect(await client.call("PING")).toEqual({ status: "PONG" });
        expect(await idle.call(...words("AUTH two pw-two"))).toEqual(error("Namespace not found"));

        await again.call("NSSET", "one", "listen", "*");
        await Promise.all([one.closed, idle.closed]);
        await expect(connect({ host: "127.0.0.1", port: shared })).rejects.toThrow("ECONNREFUSED");
        expect(await again.call(...words("SELECT one new"))).toEqual(ok);
        await again.call(...words("NSDEL two"));
        await expect(connect({ host: "127.0.0.1", port: own })).rejects.toThrow("ECONNREFUSED");
    });

    test("IPv6, and an address the system refuses is said and tried again", async () => {
        const server = await startServer();
        const admin = await server.client();
        const blocker = await startServer(["--dualnet", "--port", String(await freePort())]);
        const port = await freePort("::1");
        const busy = await freePort();
        const holder = await blocker.client();
        await holder.call("NSNEW", "holder");
        await holder.call("NSSET", "holder", "listen", `127.0.0.1:${busy}`);

        await admin.call("NSNEW", "one");
        expect(await admin.call("NSSET", "one", "listen", `[::1]:${port},127.0.0.1:${busy},192.0.2.1:${busy}`)).toEqual(ok);
        const info = String(await admin.call("NSINFO", "one"));
        expect(info).toContain(
            `listening: no (127.0.0.1:${busy} cannot be listened on (EADDRINUSE), retrying, ` +
                `192.0.2.1:${busy} cannot be listened on (EADDRNOTAVAIL), retrying)\n`,
        );
        const client = await connect({ host: "::1", port });
        expect(await client.call("SELECT", "one")).toEqual(ok);

        await holder.call("NSDEL", "holder");
        const late = await eventually(() => connect({ host: "127.0.0.1", port: busy }));
        expect(await late.call("SELECT", "one")).toEqual(ok);
        await admin.call("NSSET", "one", "listen", `[::1]:${port},127.0.0.1:${busy}`);
        expect(await admin.call("NSINFO", "one")).toContain(`listen: "[::1]:${port},127.0.0.1:${busy}"\nlistening: yes\n`);
        await eventually(async () => expect(server.lines.join("\n")).toContain(`listening on 127.0.0.1:${busy} after all`));
    });
});

async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
    const endMs = performance.now() + 10_000;
    for (;;) {
        try {
            return await attempt();
        } catch (failure) {
            if (performance.now() > endMs) throw failure;
            await new Promise((resolve) => setTimeout(resolve, 50));
        }
    }
}

describe("NSDETACH and NSATTACH", () => {
    test("take a namespace away with all it has and bring it back, under another name, as often as asked", async () => {
        const server = await startServer();
        const admin = await server.client();
        const trash = path.join(path.dirname(server.data), "trash");
        for (const request of ["NSNEW one", "NSSET one maxsize 900", "SELECT one", "SET k v"]) await admin.call(...words(request));
        const user = await server.client();
        await user.call("SELECT", "one");
        await admin.call("SELECT", "default");

        expect(await admin.call("NSDETACH", "one", "relative")).toEqual(error("Invalid argument, relative is not an absolute path"));
        expect(await admin.call("NSDETACH", "default", trash)).toEqual(error("Cannot update default namespace"));
        expect(await admin.call("NSDETACH", "one", path.join(server.data, "default"))).toEqual(
            error(`Invalid argument, ${server.data}/default is the place of a namespace of this server`),
        );
        expect(await admin.call("NSDETACH", "none", trash)).toEqual(error("Namespace not found"));
        expect(await admin.call("NSDETACH", "one", "/proc/zdb-test")).toMatchObject({ error: expect.stringMatching(/^Cannot move /) });
        expect(await admin.call("NSINFO", "one")).toContain("entries: 1\n");

        expect(await admin.call("NSDETACH", "one", trash)).toEqual(ok);
        expect(await admin.call("NSDETACH", "one", trash)).toEqual(ok);
        expect(await user.call("PING")).toEqual(error("Your active namespace is not available anymore (probably removed)."));
        expect(await admin.call("NSLIST")).toEqual(["default"]);
        expect(fs.readdirSync(trash)).toEqual(["d0"]);
        expect(fs.existsSync(path.join(server.data, "one"))).toBe(false);

        expect(await admin.call("NSATTACH", "two", path.join(trash, "none"))).toMatchObject({
            error: expect.stringContaining("holds no namespace"),
        });
        expect(await admin.call("NSATTACH", "two", trash)).toEqual(ok);
        expect(await admin.call("NSATTACH", "two", trash)).toEqual(ok);
        expect(await admin.call("SELECT", "two")).toEqual(ok);
        expect(await admin.call("GET", "k")).toBe("v");
        expect(await admin.call("NSINFO", "two")).toContain("data_limits_bytes: 900\n");
        await server.stop();
        const again = await (await startServer([], path.dirname(server.data))).client();
        expect(await again.call("SELECT", "two")).toEqual(ok);
        expect(await again.call("GET", "k")).toBe("v");
    });
});

describe("sealed passwords", () => {
    const keyFile = (directory: string, name: string): string => {
        const file = path.join(directory, name);
        fs.writeFileSync(file, Buffer.alloc(32, name), { mode: 0o600 });
        return file;
    };

    test("are not in the files; another key closes the namespace until the administrator sets the password anew", async () => {
        const keys = temporaryDirectory();
        const server = await startServer(["--seal-key-file", keyFile(keys, "right")]);
        const admin = await server.client();
        for (const request of ["NSNEW one", "SELECT one", "SET k v", "NSSET one password correct-horse", "NSSET one public 0"]) {
            expect(await admin.call(...words(request))).not.toHaveProperty("error");
        }
        await server.stop();
        expect(fs.readFileSync(path.join(server.data, "one", "d0"), "latin1")).not.toContain("correct-horse");

        const same = await startServer(["--seal-key-file", keyFile(keys, "right")], path.dirname(server.data));
        expect(await (await same.client()).call(...words("SELECT one correct-horse"))).toEqual(ok);
        await same.stop();

        const other = await startServer(["--seal-key-file", keyFile(keys, "other"), "--admin", "a"], path.dirname(server.data));
        const [client, keeper] = [await other.client(), await other.client()];
        expect(await keeper.call("AUTH", "a")).toEqual(ok);
        const closed = error("Namespace is closed: its password was sealed with another key; an admin must set it anew");
        expect(await client.call("SELECT", "one")).toEqual(closed);
        expect(await client.call(...words("SELECT one correct-horse"))).toEqual(closed);
        expect(await keeper.call("NSINFO", "one")).toContain("state: closed (its password was sealed with another key;");
        expect(await keeper.call(...words("NSSET one password new"))).toEqual(ok);
        expect(await client.call(...words("SELECT one new"))).toEqual(ok);
        expect(await client.call("GET", "k")).toBe("v");
    });

    test("a key file that others may read, or of another size, is refused", async () => {
        const directory = temporaryDirectory();
        const file = keyFile(directory, "key");
        fs.chmodSync(file, 0o644);
        await expect(startServer(["--seal-key-file", file])).rejects.toThrow("may be read by others");
        fs.writeFileSync(file, "short");
        fs.chmodSync(file, 0o600);
        await expect(startServer(["--seal-key-file", file])).rejects.toThrow("holds 5 bytes, it must hold 32");
    });
});

describe("one server for a directory", () => {
    test("a second one is refused, the directory is free when the first has ended", async () => {
        const server = await startServer();
        await expect(startServer([], path.dirname(server.data))).rejects.toThrow(`another server uses ${server.data}`);
        await server.stop();
        const again = await startServer([], path.dirname(server.data));
        expect(await (await again.client()).call("PING")).toEqual({ status: "PONG" });
    });
});

/** Memory that is the process's own. */
function privateBytes(pid: number): number {
    const match = /^RssAnon:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
    return Number(match?.[1]) * 1024;
}

describe("clients that do not read or write", () => {
    test("a client that takes no answers stops being served, others go on, and it gets all of them in the end", async () => {
        const server = await startServer();
        const client = await server.client();
        await client.call("SET", "k", Buffer.alloc(1_000_000, "x"));
        client.socket.pause();
        const before = privateBytes(server.pid);
        for (let place = 0; place < 400; place++) client.send("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
        const other = await server.client();
        for (let place = 0; place < 50; place++) expect(await other.call("PING")).toEqual({ status: "PONG" });
        expect(privateBytes(server.pid) - before).toBeLessThan(60_000_000);
        client.socket.resume();
        for (let place = 0; place < 400; place++) expect(String(await client.reply()).length).toBe(1_000_000);
    });

    test("large requests that never end leave room for others", async () => {
        const server = await startServer();
        const stuck = await Promise.all(Array.from({ length: 20 }, () => server.client()));
        for (const client of stuck) client.send(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$8000000\r\n${"x".repeat(100_000)}`);
        const client = await server.client();
        expect(await client.call("SET", "small", "v".repeat(30_000))).toBe("small");
        for (const each of stuck.slice(0, 10)) each.close();
        expect(await client.call("SET", "large", "v".repeat(3_000_000))).toBe("large");
    });
});
