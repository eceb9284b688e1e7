import { expect } from "vitest";
import { error, ok } from "../../zdb/resp-client.ts";
import { type Row, row } from "./row.ts";
import { expectOk } from "./world.ts";

/** FLUSH and RELOAD. */
export const RENEWAL_ROWS: readonly Row[] = [
    row("5 RELOAD: everything is there again", async ({ client, namespace, put, key }) => {
        await client.call(...put(0, "v")[0]);
        expect(await client.call("RELOAD", namespace)).toEqual(ok);
        expect(await client.call("GET", key(0))).toBe("v");
        expect(await client.call("RELOAD", "absent")).toEqual(error("Namespace not found"));
        expect(await client.call("RELOAD")).toEqual(error("Unexpected arguments"));
        expect(await client.call("RELOAD", "")).toEqual(error("Invalid argument"));
        expect(await client.call("RELOAD", "n".repeat(129))).toEqual(error("Namespace too long"));
    }),
    row("5 FLUSH: a public namespace, and one without a password, are refused", async (world) => {
        const { client, namespace } = world;
        const denied = error("Flushing public namespace denied");
        expect(await client.call("FLUSH")).toEqual(denied);
        await expectOk(client, "NSSET", namespace, "public", "0");
        expect(await client.call("FLUSH")).toEqual(denied);
        await expectOk(client, "NSSET", namespace, "public", "1");
        await expectOk(client, "NSSET", namespace, "password", "pw");
        expect(await client.call("FLUSH")).toEqual(denied);
    }),
    row(
        "14 FLUSH drops all, keeps properties and mode, begins at the first id and file; older cursors are none",
        async (world) => {
            const { client, namespace, put, key } = world;
            for (const place of [0, 1, 2]) await client.call(...put(place, "v")[0]);
            const cursor = Buffer.from(String(await client.call("KEYCUR", key(0))), "latin1");
            await client.call("NSJUMP");
            await expectOk(client, "NSSET", namespace, "maxsize", "1000");
            await expectOk(client, "NSSET", namespace, "password", "pw");
            await expectOk(client, "NSSET", namespace, "public", "0");
            await expectOk(client, "SELECT", namespace, "pw");
            expect(await client.call("FLUSH", "extra")).toEqual(ok);
            expect(await client.call("DBSIZE")).toBe(0);
            expect(await client.call("GET", key(0))).toBeNull();
            expect(await client.call("SCAN", cursor)).toEqual(error("Invalid key format"));
            expect(await client.call(...put(0, "new")[0])).toBe(put(0, "new")[1]);
            const info = String(await client.call("NSINFO", namespace));
            for (const line of ["entries: 1", "data_limits_bytes: 1000", "password: yes", "public: no", "data_size_bytes: 3"])
                expect(info).toContain(`${line}\n`);
            expect(info).toContain(world.mode === "user" ? "mode: userkey\n" : "mode: sequential\n");
            expect(await client.call("RELOAD", namespace)).toEqual(ok);
            expect(await client.call("GET", key(0))).toBe("new");
        },
        { differs: "17 safe to fix: FLUSH" },
    ),
    row(
        "5 FLUSH respects who may write, lock, freeze and worm",
        async (world) => {
            const { client, namespace } = world;
            await expectOk(client, "NSSET", namespace, "password", "pw");
            const reader = await world.guest();
            await expectOk(client, "SELECT", namespace, "pw");
            for (const property of ["lock", "freeze", "worm"]) {
                await expectOk(client, "NSSET", namespace, "public", "0");
                await expectOk(client, "NSSET", namespace, property, "1");
                expect(await client.call("FLUSH"), property).toEqual({ error: expect.stringMatching(/locked|frozen|worm/) });
                await expectOk(client, "NSSET", namespace, property, "0");
            }
            await reader.closed;
        },
        { differs: "lessons, Security: FLUSH ignores lock, freeze and worm" },
    ),
];
