import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { expect, test } from "vitest";
import { error } from "../../test/zdb/resp-client.ts";
import { connect } from "../../test/zdb/running-server.ts";
import { RUNTIME, startProcess } from "../../test/zdb/server-process.ts";
import { temporaryDirectory } from "../../test/zdb/temporary.ts";

const PROGRAM = path.join(import.meta.dirname, "standalone.ts");

/** Runs a tool as a person does. */
function runTool(...argv: readonly string[]): Promise<{ readonly code: number | null; readonly out: string; readonly said: string }> {
    const child = spawn(RUNTIME, [PROGRAM, ...argv], { stdio: ["ignore", "pipe", "pipe"] });
    let [out, said] = ["", ""];
    child.stdout.on("data", (text) => (out += String(text)));
    child.stderr.on("data", (text) => (said += String(text)));
    return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, said })));
}

test("a killed server's files are checked, repaired and served again; tools and a running server keep out of each other's way", {
    timeout: 120_000,
}, async () => {
    const directory = temporaryDirectory();
    const [data, index, socket] = ["data", "index", "s"].map((name) => path.join(directory, name));
    const argv = ["--data", String(data), "--index", String(index), "--socket", String(socket)];
    const server = await startProcess(argv);
    const client = await connect({ path: String(socket) });
    for (const [key, value] of [
        ["one", "first value"],
        ["two", "second value"],
        ["three", "third value"],
    ] as const) {
        expect(await client.call("SET", key, value)).toBe(key);
    }
    const busy = await runTool("check", String(data));
    expect([busy.code, busy.said]).toEqual([2, `zdb check: a server runs on ${data}: stop it first, or take a snapshot with NSSNAPSHOT\n`]);
    expect(await runTool("repair", String(data), "--apply")).toMatchObject({ code: 2 });
    await server.kill("SIGKILL");

    expect(await runTool("check", String(data), "--index", String(index))).toMatchObject({ code: 0, said: "" });
    const file = path.join(String(data), "default", "d0");
    const bytes = fs.readFileSync(file);
    bytes[bytes.indexOf("second value")] = 0;
    fs.writeFileSync(file, bytes);
    const damaged = await runTool("check", String(data), "--json");
    expect(damaged.code).toBe(1);
    expect(JSON.parse(damaged.out)).toMatchObject({ sound: false, namespaces: [{ name: "default", lost: [{ key: "two", lsn: 2 }] }] });
    expect(await runTool("repair", String(data), "--index", String(index))).toMatchObject({ code: 1 });
    expect(fs.readFileSync(file).equals(bytes)).toBe(true);
    const repair = await runTool("repair", String(data), "--index", String(index), "--apply");
    expect([repair.code, repair.out]).toEqual([0, expect.stringMatching(/lost: the value of "two", record 2 .*repaired\n$/s)]);

    const dump = await runTool("dump", String(data), "default");
    const keys = dump.out.split("\n").flatMap((line) => (line === "" ? [] : [(JSON.parse(line) as { key: string }).key]));
    expect([dump.code, keys]).toEqual([0, ["one", "three"]]);
    await startProcess(argv);
    const again = await connect({ path: String(socket) });
    expect(await again.call("GET", "two")).toBeNull();
    expect(await again.call("DEL", "two")).toEqual(error("Key not found"));
    expect(await again.call("GET", "three")).toBe("third value");
    expect(await again.call("SET", "two", "written anew")).toBe("two");
    expect((await runTool("import")).code).toBe(2);
});
