import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, test } from "vitest";
import { eventually } from "../../test/zdb/eventually.ts";
import { error, ok } from "../../test/zdb/resp-client.ts";
import { connect, freePort, startServer } from "../../test/zdb/running-server.ts";
import { words } from "../../test/zdb/script.ts";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";

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
