import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, test } from "vitest";
import { error, ok } from "../../test/zdb/resp-client.ts";
import { startServer } from "../../test/zdb/running-server.ts";
import { words } from "../../test/zdb/script.ts";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";

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
