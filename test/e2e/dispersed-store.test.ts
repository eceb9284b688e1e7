import { spawn } from "node:child_process";
import { expect, it } from "vitest";
import { list } from "../../dev/hosts/index.ts";
import { prefixOf } from "../prefix.ts";

/** Far above what it takes, so that a hang is seen as one. */
const LIMIT_MS = 540_000;
const STEPS = 8;

const example = (...args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> =>
    new Promise((resolve, reject) => {
        const command = ["examples/dispersed-store/demo.ts", ...args];
        const child = spawn("node", command, { stdio: ["ignore", "pipe", "pipe"], timeout: LIMIT_MS });
        let output = "";
        for (const stream of [child.stdout, child.stderr])
            stream.on("data", (chunk: Buffer) => {
                output += chunk.toString();
            });
        child.on("error", reject);
        child.on("close", (code) => resolve({ code, output }));
    });

it("the example of a dispersed store keeps every file over the loss of two hosts, one after the other", async () => {
    // A name of its own: somebody may have kept theirs running.
    const prefix = prefixOf("dis");
    const { code, output } = await example("--prefix", prefix);
    expect(code, output).toBe(0);
    expect(output.match(/✓/g), output).toHaveLength(STEPS);
    expect(output).not.toMatch(/^ {4}at /m);
    expect(await list({ prefix })).toEqual([]);
});

it("says what it does when asked", async () => {
    expect((await example("--help")).output).toContain("--keep");
});
