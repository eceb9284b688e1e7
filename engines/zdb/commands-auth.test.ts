import { createHash } from "node:crypto";
import * as path from "node:path";
import { describe, expect, test } from "vitest";
import { inProcessServer } from "../../test/zdb/in-process-server.ts";
import { encodeRequest, error, ok, type RespClient } from "../../test/zdb/resp-client.ts";
import { connect, startServer } from "../../test/zdb/running-server.ts";
import { words } from "../../test/zdb/script.ts";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";

const sha1 = (text: string): string => createHash("sha1").update(text).digest("hex");

const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve));
};

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
        expect(await refused).toEqual(error("Access denied"));
        expect(performance.now() - startedMs).toBeGreaterThan(950);
        expect(await client.reply()).toEqual({ status: "PONG" });
        expect(await client.call("NSNEW", "one")).toEqual(error("Permission denied"));
    });

    test("a wrong password keeps nobody else waiting", async () => {
        const { connect, timers } = await inProcessServer(1_000_000);
        const [client, other] = [connect({ admin: false }), connect()];
        client.emit("data", encodeRequest(["AUTH", "wrong"]));
        other.emit("data", encodeRequest(["PING"]));
        await turns();
        const taken = (): string[] => [client, other].map((each) => Buffer.concat(each.taken).toString());
        expect(taken()).toEqual(["", "+PONG\r\n"]);
        timers.advance(1000);
        await turns();
        expect(taken()).toEqual(["-Access denied\r\n", "+PONG\r\n"]);
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

describe("terms that change", () => {
    test("part with those who came in under the old ones, and with nobody else", async () => {
        const directory = temporaryDirectory();
        const socket = path.join(directory, "admin.sock");
        const server = await startServer(["--admin", "secret", "--admin-socket", socket], directory);
        const owner = await connect({ path: socket });
        for (const request of ["NSNEW one", "SELECT one", "SET k v", "NSNEW two"]) await owner.call(...words(request));
        const enter = async (...request: string[]): Promise<RespClient> => {
            const client = await server.client();
            expect(await client.call(...request)).toEqual(ok);
            return client;
        };
        const stays = async (client: RespClient): Promise<void> => expect(await client.call("GET", "k")).toBe("v");

        const [free, elsewhere, idle] = [await enter("SELECT", "one"), await enter("SELECT", "two"), await server.client()];
        const admin = await enter("AUTH", "secret");
        expect(await admin.call("SELECT", "one")).toEqual(ok);
        expect(await owner.call(...words("NSSET one password first"))).toEqual(ok);
        await free.closed;
        for (const client of [admin, owner]) await stays(client);

        const [reader, writer] = [await enter("SELECT", "one"), await enter("AUTH", "one", "first")];
        expect(await owner.call(...words("NSSET one password second"))).toEqual(ok);
        for (const client of [reader, writer]) await stays(client);
        expect(await owner.call(...words("NSSET one public 0"))).toEqual(ok);
        await reader.closed;
        for (const client of [writer, admin, owner]) await stays(client);
        for (const client of [elsewhere, idle]) expect(await client.call("PING")).toEqual({ status: "PONG" });
    });
});
