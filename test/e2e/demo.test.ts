import { spawn } from "node:child_process";
import { describe, expect, it } from "vitest";
import { prefixOf } from "../prefix.ts";

const LIMIT_MS = 240_000;

const demo = (...args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> =>
    new Promise((resolve, reject) => {
        const child = spawn("node", ["examples/quickstart/demo.ts", ...args], { stdio: ["ignore", "pipe", "pipe"], timeout: LIMIT_MS });
        let output = "";
        const hear = (chunk: Buffer) => {
            output += chunk.toString();
        };
        child.stdout.on("data", hear);
        child.stderr.on("data", hear);
        child.on("error", reject);
        child.on("close", (code) => resolve({ code, output }));
    });

describe("the demo", () => {
    it("proves its story from three new hosts to nothing left", async () => {
        // A name of its own: somebody may have kept theirs running.
        const { code, output } = await demo("--prefix", prefixOf("demo"));
        expect(code, output).toBe(0);
        expect(output.match(/✓/g), output).toHaveLength(8);
        expect(output).not.toMatch(/^ {4}at /m);
    });

    it("says what it does when asked", async () => {
        expect((await demo("--help")).output).toContain("--keep");
    });
});
