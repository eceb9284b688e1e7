import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, test } from "vitest";
import { error, ok } from "../../test/zdb/resp-client.ts";
import { startServer } from "../../test/zdb/running-server.ts";
import { words } from "../../test/zdb/script.ts";

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
