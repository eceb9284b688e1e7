import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, test } from "vitest";
import { eventually } from "../../test/zdb/eventually.ts";
import { ManualTimers } from "../../test/zdb/manual-timers.ts";
import { encodeRequest, error, ok, type Reply } from "../../test/zdb/resp-client.ts";
import { connect, freePort, startServer } from "../../test/zdb/running-server.ts";
import { words } from "../../test/zdb/script.ts";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";
import { Hooks } from "./hooks.ts";

/** A hook that notes what it is told, in words joined by `|`, and then runs `body`. */
function hook(directory: string, body = ""): { file: string; told: () => string[] } {
    const [file, notes] = [path.join(directory, "hook"), path.join(directory, "notes")];
    fs.writeFileSync(notes, "");
    fs.writeFileSync(file, `#!/bin/sh\n(IFS='|'; echo "$*" >> ${notes})\n${body}\n`, { mode: 0o755 });
    return { file, told: () => fs.readFileSync(notes, "utf8").split("\n").slice(0, -1) };
}

describe("hooks", () => {
    test("are told what happens, in the words and places of the original", async () => {
        const directory = temporaryDirectory();
        const { file, told } = hook(directory);
        const server = await startServer(["--hook", file, "--datasize", "524288"], directory);
        const [id, data, index] = [`unix://${directory}/zdb.sock`, `${directory}/data`, `${directory}/index`];
        expect(told()).toEqual([`namespaces-init|${id}|${index}|${data}`, `ready|${id}`]);

        const client = await server.client();
        for (const request of ["NSNEW one", "NSSET one worm 1", "RELOAD one", "NSDEL one"])
            expect(await client.call(...words(request))).toEqual(ok);
        for (const key of ["a", "b"]) expect(await client.call("SET", key, Buffer.alloc(300_000, key))).toBe(key);
        await eventually(() => expect(told()).toHaveLength(8));
        const ofNamespaces = ["created", "deleted", "reloaded", "updated"].map((event) => `namespace-${event}|${id}|one`);
        const isOfNamespace = (line: string): boolean => line.startsWith("namespace-") && !line.startsWith("namespaces-");
        expect(told().filter(isOfNamespace).sort()).toEqual(ofNamespaces);
        expect(
            told()
                .slice(2)
                .filter((line) => !isOfNamespace(line)),
        ).toEqual([`jump-index|${id}|${index}/default/i0|${index}/default/i1|`, `jump-data|${id}|${data}/default/d0|${data}/default/d1`]);
        const runs = (await client.call("HOOKS")) as Reply[][];
        expect(runs.map(([event]) => event)).toContain("jump-data");
        expect(runs[0]).toEqual(["namespaces-init", [index, data], expect.any(Number), expect.any(Number), expect.any(Number), 0]);

        await server.stop();
        await eventually(() => expect(told()).toHaveLength(10));
        expect(told().slice(8).sort()).toEqual([`close|${id}`, `namespace-closing|${id}|default|${index}/default/i1|${data}/default/d1|`]);
    });

    test("block nobody, hold nothing of the server, and are listed while they run", async () => {
        const directory = temporaryDirectory();
        const descriptors = path.join(directory, "descriptors");
        const { file } = hook(
            directory,
            `case "$1" in namespace-created) ls -l /proc/self/fd > ${descriptors}.new; mv ${descriptors}.new ${descriptors}; exec sleep 60;; esac`,
        );
        const server = await startServer(["--hook", file, "--dualnet", "--port", String(await freePort())], directory);
        const client = await server.client();
        expect(await client.call(...words("NSNEW one"))).toEqual(ok);
        const held = await eventually(() => fs.readFileSync(descriptors, "utf8"));
        // Standard error is the server's, so that its words are found where the server's are.
        const beyond = held.split("\n").filter((line) => / \d+ -> /.test(line) && !/ [012] -> /.test(line));
        for (const kind of ["socket:", ".lock", "/data/", "eventpoll"]) expect(beyond.join("\n")).not.toContain(kind);
        const run = ((await client.call("HOOKS")) as Reply[][]).find(([event]) => event === "namespace-created");
        expect(run).toEqual(["namespace-created", ["one"], expect.any(Number), expect.any(Number), 0, 0]);
        process.kill(Number(run?.[2]), "SIGKILL");
        await eventually(async () => {
            const after = ((await client.call("HOOKS")) as Reply[][]).find(([event]) => event === "namespace-created");
            expect(after?.slice(4)).toEqual([expect.any(Number), -1]);
        });
    });

    test("bring back the file of a segment that was taken away; its readers wait for that, nobody else", async () => {
        const directory = temporaryDirectory();
        const gate = path.join(directory, "gate");
        const { file, told } = hook(
            directory,
            `[ "$1" = missing-data ] || exit 0; until [ -e ${gate} ]; do sleep 0.05; done; mv ${directory}/away/$(basename "$3") "$3"`,
        );
        const argv = ["--hook", file, "--datasize", "524288"];
        const first = await startServer(argv, directory);
        const before = await first.client();
        for (const key of ["a", "b", "c"]) await before.call("SET", key, Buffer.alloc(400_000, key));
        await first.stop();

        const server = await startServer(argv, directory);
        const [data, away] = [`${directory}/data/default`, path.join(directory, "away")];
        fs.mkdirSync(away);
        for (const segment of ["d0", "d1"]) fs.renameSync(path.join(data, segment), path.join(away, segment));
        const [one, two, other] = [await server.client(), await server.client(), await server.client()];
        for (const client of [one, two]) client.send(encodeRequest(["GET", "a"]));
        await eventually(() => expect(told().filter((line) => line.startsWith("missing-data"))).toHaveLength(1));
        expect(await other.call("SET", "d", "v")).toBe("d");
        fs.writeFileSync(gate, "");
        for (const client of [one, two]) expect(await client.reply()).toBe("a".repeat(400_000));
        expect(told().filter((line) => line.startsWith("missing-data"))).toEqual([`missing-data|unix://${directory}/zdb.sock|${data}/d0`]);

        // One that does not come is not there.
        fs.rmSync(path.join(away, "d1"));
        expect(await one.call("GET", "b")).toEqual(error("Internal Error"));
        expect(await one.call("GET", "c")).toBe("c".repeat(400_000));
    });

    test("that fail are said; ready decides whether the server starts", async () => {
        const directory = temporaryDirectory();
        const { file } = hook(directory, `[ "$1" != ready ] || exit 3`);
        await expect(startServer(["--hook", file], directory)).rejects.toThrow(`the hook ready of ${file} ended with 3`);
        await expect(startServer(["--hook", `${directory}/absent`], directory)).rejects.toThrow(
            `the hook ready of ${directory}/absent did not run to its end: the server starts when it ends with 0`,
        );
    });

    test("that ended are listed for 300 seconds, and one is told of a crash that nobody waits for", async () => {
        const directory = temporaryDirectory();
        const { file, told } = hook(directory);
        const timers = new ManualTimers();
        const hooks = new Hooks(file, "here", timers, () => undefined);
        expect(await hooks.fire("ready")).toBe(0);
        timers.advance(299_999);
        expect(hooks.list().map(({ event, code }) => [event, code])).toEqual([["ready", 0]]);
        timers.advance(1);
        expect(hooks.list()).toEqual([]);
        hooks.cry("crash");
        await eventually(() => expect(told()).toEqual(["ready|here", "crash|here"]));
    });

    test("more than can run at once wait for their turn", async () => {
        const directory = temporaryDirectory();
        const gate = path.join(directory, "gate");
        const { file, told } = hook(directory, `while [ "$1" = namespace-updated ] && [ ! -e ${gate} ]; do sleep 0.05; done`);
        const server = await startServer(["--hook", file], directory);
        const client = await server.client();
        const rounds = Array.from({ length: 100 }, (_, place) => encodeRequest(["NSSET", "default", "lock", String(place % 2)]));
        client.send(Buffer.concat(rounds));
        await client.replies(rounds.length);
        await eventually(() => expect(told()).toHaveLength(2 + 64));
        expect((await client.call("HOOKS")) as Reply[]).toHaveLength(2 + 64);
        fs.writeFileSync(gate, "");
        await eventually(() => expect(told()).toHaveLength(2 + 100));
    });
});

describe("the hook of a namespace", () => {
    test("is told of that one only, over a restart, and is its owner's to set", async () => {
        const directory = temporaryDirectory();
        const { file, told } = hook(directory);
        const start = async () => {
            const socket = path.join(directory, "admin.sock");
            const server = await startServer(["--admin-socket", socket, "--admin", "word", "--datasize", "524288"], directory);
            return { server, admin: await connect({ path: socket }) };
        };
        const first = await start();
        for (const request of ["NSNEW one", "NSNEW two", `NSSET one hook ${file}`, "NSSET two worm 1", "NSSET one maxsize 9000000"])
            expect(await first.admin.call(...words(request))).toEqual(ok);
        for (const [program, why] of [
            [`${directory}/absent`, "ENOENT"],
            [directory, "it is no file"],
            ["/etc/passwd", "EACCES"],
        ] as const) {
            if (why === "EACCES" && process.getuid?.() === 0) continue;
            expect(await first.admin.call("NSSET", "two", "hook", program)).toEqual(error(`Cannot run ${program} (${why})`));
        }
        expect(await first.admin.call("NSSET", "two", "hook", "told")).toEqual(
            error("Invalid property value (expected: the absolute path of a program, or *)"),
        );
        const stranger = await first.server.client();
        expect(await stranger.call("AUTH", "word")).toEqual(ok);
        expect(await stranger.call("NSSET", "two", "hook", file)).toEqual(error("Permission denied"));
        await first.server.stop();

        const { admin } = await start();
        expect(await admin.call("NSINFO", "one")).toContain(`hook: ${file}\n`);
        for (const name of ["one", "two"]) {
            await admin.call("SELECT", name);
            for (const key of ["a", "b"]) expect(await admin.call("SET", key, Buffer.alloc(300_000, key))).toBe(key);
        }
        const [data, index] = [`${directory}/data/one`, `${directory}/index/one`];
        await eventually(() => expect(told().at(-1)).toContain("jump-data"));
        const events = told().map((line) => line.split("|").filter((word) => !word.startsWith("unix://")));
        expect(events).toEqual([
            ["namespace-updated", "one"],
            ["namespace-updated", "one"],
            ["namespace-closing", "one", `${index}/i0`, `${data}/d0`, ""],
            ["jump-index", `${index}/i0`, `${index}/i1`, ""],
            ["jump-data", `${data}/d0`, `${data}/d1`],
        ]);
    });
});
