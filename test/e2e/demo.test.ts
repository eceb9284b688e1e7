import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { list } from "../../dev/hosts/index.ts";
import { prefixOf } from "../prefix.ts";
import { until } from "./hosts.ts";

const LIMIT_MS = 240_000;

/** Runs it; at the words that are given it gets the signal of a Ctrl-C. */
const demo = (args: readonly string[], stopAt?: string): Promise<{ readonly code: number | null; readonly output: string }> =>
    new Promise((resolve, reject) => {
        const child = spawn("node", ["examples/quickstart/demo.ts", ...args], { stdio: ["ignore", "pipe", "pipe"], timeout: LIMIT_MS });
        let output = "";
        let isStopped = false;
        const hear = (chunk: Buffer) => {
            output += chunk.toString();
            if (isStopped || stopAt === undefined || !output.includes(stopAt)) return;
            isStopped = true;
            child.kill("SIGINT");
        };
        child.stdout.on("data", hear);
        child.stderr.on("data", hear);
        child.on("error", reject);
        child.on("close", (code) => resolve({ code, output }));
    });

/** How many processes have this in their environment. */
const processesOf = async (text: string): Promise<number> => {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    const environments = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/environ`, "utf8").catch(() => "")));
    return environments.filter((environment) => environment.includes(text)).length;
};

describe("the demo", () => {
    it("proves its story from three new hosts to nothing left", async () => {
        // A name of its own: somebody may have kept theirs running.
        const { code, output } = await demo(["--prefix", prefixOf("demo")]);
        expect(code, output).toBe(0);
        expect(output.match(/✓/g), output).toHaveLength(8);
        expect(output).not.toMatch(/^ {4}at /m);
    });

    it.each(["1. ", "Updating ("])("that is stopped at %j takes everything away again", async (words) => {
        const prefix = prefixOf("stop");
        const { code, output } = await demo(["--prefix", prefix], words);
        expect({ code, output }).toEqual({ code: 130, output: expect.stringContaining("Stopped; taking everything away again.") });
        expect(output).not.toMatch(/^ {4}at /m);
        expect(await list({ prefix })).toEqual([]);
        for (const left of [`.demo/${prefix}`, `Pulumi.${prefix}.yaml`])
            expect(existsSync(join("examples/quickstart", left)), left).toBe(false);
        // A provider ends within five seconds of its engine.
        await until(async () => ((await processesOf(`.demo/${prefix}`)) === 0 ? true : undefined));
    });

    it("says what it does when asked", async () => {
        expect((await demo(["--help"])).output).toContain("--keep");
    });
});
