import { createHash } from "node:crypto";
import { expect } from "vitest";
import { error, ok, type RespClient } from "../../zdb/resp-client.ts";
import { type Row, row } from "./row.ts";
import { ADMIN_PASSWORD, expectOk } from "./world.ts";

const DENIED = error("Access denied");

async function challenge(client: RespClient): Promise<string> {
    const { status } = (await client.call("AUTH", "SECURE", "CHALLENGE")) as { status: string };
    expect(status).toMatch(/^[0-9a-f]{16}$/);
    return status;
}

const answer = (nonce: string, password: string): string => createHash("sha1").update(`${nonce}:${password}`).digest("hex");
const isAdmin = async (client: RespClient): Promise<boolean> =>
    JSON.stringify(await client.call("NSNEW", "")) !== JSON.stringify(error("Permission denied"));

/** Section 10. */
export const LOGIN_ROWS: readonly Row[] = [
    row("10 AUTH: wrong, too long, right", async ({ connect }) => {
        const client = await connect();
        expect(await isAdmin(client)).toBe(false);
        expect(await client.call("AUTH", "p".repeat(129))).toEqual(error("Password too long"));
        expect(await client.call("AUTH", "wrong")).toEqual(DENIED);
        expect(await isAdmin(client)).toBe(false);
        expect(await client.call("AUTH", ADMIN_PASSWORD)).toEqual(ok);
        expect(await isAdmin(client)).toBe(true);
        expect(await client.call("AUTH")).toEqual(error("Unexpected arguments"));
        expect(await client.call("AUTH", "a", "b", "c")).toEqual(error("Unexpected arguments"));
    }),
    row("10 AUTH SECURE: the challenge is used once", async ({ connect }) => {
        const client = await connect();
        expect(await client.call("AUTH", "SECURE", answer("x", ADMIN_PASSWORD))).toEqual(
            error("No CHALLENGE requested, secure authentication not available"),
        );
        await challenge(client);
        const nonce = await challenge(client);
        expect(await client.call("AUTH", "secure", "short")).toEqual(error("Invalid hash length"));
        expect(await client.call("auth", "secure", answer(nonce, ADMIN_PASSWORD))).toEqual(ok);
        expect(await isAdmin(client)).toBe(true);
        expect(await client.call("AUTH", "SECURE", answer(nonce, ADMIN_PASSWORD))).toEqual(
            error("No CHALLENGE requested, secure authentication not available"),
        );
    }),
    row("10 AUTH SECURE: a wrong answer, upper-case hex", async ({ connect }) => {
        const client = await connect();
        const nonce = await challenge(client);
        expect(await client.call("AUTH", "SECURE", answer(nonce, ADMIN_PASSWORD).toUpperCase())).toEqual(DENIED);
        expect(await isAdmin(client)).toBe(false);
        expect(await client.call("AUTH", "SECURE", answer(nonce, ADMIN_PASSWORD))).toEqual(
            error("No CHALLENGE requested, secure authentication not available"),
        );
    }),
    row(
        "10 AUTH <namespace> <password> is SELECT",
        async ({ client, connect, namespace, put }) => {
            await expectOk(client, "NSSET", namespace, "password", "pw");
            const other = await connect();
            expect(await other.call("AUTH", namespace, "wrong")).toEqual(DENIED);
            expect(await other.call("AUTH", "absent", "pw")).toEqual(error("Namespace not found"));
            expect(await other.call("AUTH", namespace, "pw")).toEqual(ok);
            const [request, reply] = put(0, "v");
            expect(await other.call(...request)).toBe(reply);
            expect(await isAdmin(other)).toBe(false);
        },
        { differs: "issue: extension" },
    ),
    row(
        "10 SELECT without a password to be given: always writable, further arguments do not matter",
        async ({ connect, namespace, put }) => {
            const client = await connect();
            for (const extra of [[], ["any"], ["SECURE", "any"]]) expect(await client.call("SELECT", namespace, ...extra)).toEqual(ok);
            const [request, reply] = put(0, "v");
            expect(await client.call(...request)).toBe(reply);
        },
    ),
    row("10 SELECT: public is read-only without the password, private not at all; administrators too", async (world) => {
        const { client, connect, namespace, put } = world;
        await expectOk(client, "NSSET", namespace, "password", "pw");
        const reader = await connect();
        expect(await reader.call("SELECT", namespace)).toEqual(ok);
        expect(await reader.call("DBSIZE")).toBe(0);
        expect(await reader.call(...put(0, "v")[0])).toEqual(error("Namespace is in read-only mode"));
        expect(await reader.call("SELECT", namespace, "pw")).toEqual(ok);
        expect(await reader.call(...put(0, "v")[0])).toBe(put(0, "v")[1]);
        await expectOk(client, "NSSET", namespace, "public", "0");
        const stranger = await connect();
        expect(await stranger.call("SELECT", namespace)).toEqual(error("Namespace protected and private"));
        await expectOk(stranger, "AUTH", ADMIN_PASSWORD);
        expect(await stranger.call("SELECT", namespace)).toEqual(error("Namespace protected and private"));
        expect(await stranger.call("SELECT", namespace, "pw")).toEqual(ok);
    }),
    row("10 SELECT: what it refuses, and that a failure changes nothing", async ({ client, connect, namespace, put }) => {
        await expectOk(client, "NSSET", namespace, "password", "pw");
        const other = await connect();
        await expectOk(other, "SELECT", namespace, "pw");
        expect(await other.call("SELECT")).toEqual(error("Invalid argument"));
        expect(await other.call("SELECT", "")).toEqual(error("Invalid argument"));
        expect(await other.call("SELECT", "absent")).toEqual(error("Namespace not found"));
        expect(await other.call("SELECT", namespace, "p".repeat(256))).toEqual(error("Password too long"));
        expect(await other.call("SELECT", namespace, "a", "b", "c")).toEqual(error("Too many arguments"));
        expect(await other.call("SELECT", namespace, "wrong")).toEqual(DENIED);
        expect(await other.call(...put(0, "v")[0])).toBe(put(0, "v")[1]);
    }),
    row("10 SELECT ns SECURE hash: the challenge is kept", async ({ client, connect, namespace }) => {
        await expectOk(client, "NSSET", namespace, "password", "pw");
        const other = await connect();
        expect(await other.call("SELECT", namespace, "SECURE", answer("x", "pw"))).toEqual(
            error("No CHALLENGE requested, secure authentication not available"),
        );
        expect(await other.call("SELECT", namespace, "PLAIN", answer("x", "pw"))).toEqual(error("Only SECURE extra method supported"));
        const nonce = await challenge(other);
        expect(await other.call("SELECT", namespace, "SECURE", "short")).toEqual(error("Invalid hash length"));
        for (const round of [1, 2]) expect(await other.call("SELECT", namespace, "SECURE", answer(nonce, "pw")), `${round}`).toEqual(ok);
    }),
    row("10 the administrator is above no lock, freeze or worm", async ({ client, namespace, put, key }) => {
        await client.call(...put(0, "v")[0]);
        for (const property of ["lock", "freeze", "worm"]) {
            await expectOk(client, "NSSET", namespace, property, "1");
            expect(await client.call("DEL", key(0))).toEqual({ error: expect.any(String) });
            await expectOk(client, "NSSET", namespace, property, "0");
        }
    }),
    row(
        "10 a wrong password delays its connection, nobody else",
        async ({ connect }) => {
            const [client, other] = [await connect(), await connect()];
            const startedMs = performance.now();
            const refused = client.call("AUTH", "wrong");
            expect(await other.call("PING")).toEqual({ status: "PONG" });
            expect(await refused).toEqual(DENIED);
            expect(performance.now() - startedMs).toBeGreaterThan(950);
        },
        { differs: "issue: a failed login delays its connection" },
    ),
];
