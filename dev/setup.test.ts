import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";

const directory = mkdtempSync(join(tmpdir(), "zeroform-setup-"));
afterAll(() => rmSync(directory, { recursive: true }));

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Set-up is plain JavaScript for old versions of Node.js, so it is tried as it runs: in processes of its own. */
const start = (args: readonly string[], environment: Record<string, string> = {}) => {
    const child = spawn(process.execPath, args, { env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => {
        stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
        stderr += chunk;
    });
    const ended = once(child, "close").then(([code]) => ({ code, stdout, stderr }));
    return { child, ended };
};

describe("the lock", () => {
    const lock = join(directory, "locks", "lock");
    const log = join(directory, "log");
    /** Writes where it is inside the lock; with two at once the lines would mix. */
    const script = `
        import { appendFileSync } from "node:fs";
        import { setTimeout as sleep } from "node:timers/promises";
        import { withLock } from ${JSON.stringify(file("setup/lock.mjs"))};
        await withLock(${JSON.stringify(lock)}, async () => {
            appendFileSync(${JSON.stringify(log)}, "in ");
            await sleep(50);
            appendFileSync(${JSON.stringify(log)}, "out ");
        });`;
    const contend = () => start(["--input-type=module", "-e", script]).ended;

    test("lets in one at a time", async () => {
        const results = await Promise.all([contend(), contend(), contend(), contend()]);
        expect(results.map(({ code, stderr }) => [code, stderr])).toEqual([0, 0, 0, 0].map((code) => [code, ""]));
        expect(readFileSync(log, "utf8")).toBe("in out in out in out in out ");
        expect(existsSync(lock)).toBe(false);
    });

    test.each([
        ["of a process that is gone", "4194303 1"],
        ["of a pid that is another process by now", `${process.pid} 1`],
        ["that is empty", ""],
    ])("is taken over when it is one %s", async (_, content) => {
        writeFileSync(lock, content);
        rmSync(log, { force: true });
        const results = await Promise.all([contend(), contend()]);
        expect(results.map(({ code }) => code)).toEqual([0, 0]);
        expect(readFileSync(log, "utf8")).toBe("in out in out ");
    });
});

describe("set-up", () => {
    test("refuses a part that is not there, in one sentence", async () => {
        const { code, stdout, stderr } = await start([file("setup.mjs"), "everything"]).ended;
        expect([code, stdout]).toEqual([1, ""]);
        expect(stderr).toBe('Set-up has no part "everything": there are dependencies, packages, pulumi, build.\n');
    });

    test("names what to install where the Pulumi CLI can neither be found nor built", async () => {
        const environment = { PATH: join(directory, "nothing"), XDG_CACHE_HOME: directory };
        const script = `
            import { main } from ${JSON.stringify(file("setup.mjs"))};
            import { findGo } from ${JSON.stringify(file("setup/pulumi.mjs"))};
            await main(() => findGo("/nonexistent"));`;
        const { code, stderr } = await start(["--input-type=module", "-e", script], environment).ended;
        expect(code).toBe(1);
        expect(stderr).toBe(
            "There is no Pulumi CLI on PATH and no Go to build it with: install Go 1.25.11 or later, or the Pulumi CLI 3.200 or later, and run this again.\n",
        );
    });
});

describe("the launcher", () => {
    const run = (...args: string[]) => start([file("run.mjs"), "--only", "dependencies", ...args]);

    test("runs the program with our Node.js first and gives its exit status", async () => {
        const { code, stdout } = await run("node", "-e", "console.log(process.version); process.exit(7)").ended;
        expect([code, stdout]).toEqual([7, `${process.version}\n`]);
    });

    test("leaves a signal to the program, and ends with it", async () => {
        const { child, ended } = run(
            "node",
            "-e",
            "process.on('SIGTERM', () => process.exit(9)); console.log('ready'); setInterval(() => {}, 1000)",
        );
        await once(child.stdout, "data");
        child.kill("SIGTERM");
        expect((await ended).code).toBe(9);
    });

    test("says when there is no such program", async () => {
        const { code, stderr } = await run("no-such-program").ended;
        expect(code).toBe(1);
        expect(stderr).toBe("no-such-program could not be started: spawn no-such-program ENOENT.\n");
    });
});
