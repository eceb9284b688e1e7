import { spawn } from "node:child_process";
import { describe, expect, it } from "vitest";

const CONFIRM = new URL("confirm.ts", import.meta.url).pathname;
const ASK = `const { confirm } = await import(${JSON.stringify(CONFIRM)}); await confirm("this is the end", "alpha").then(() => console.log("DONE"), ({ code }) => console.log("not done: " + code))`;

/** On a terminal of its own: `script` gives it one, and types what it is given. */
const answered = (keys: string): Promise<string> =>
    new Promise((resolve, reject) => {
        const child = spawn("script", ["-qec", `'${process.execPath}' --input-type=module -e '${ASK}'`, "/dev/null"]);
        let output = "";
        child.stdout.setEncoding("utf8").on("data", (text: string) => {
            output += text;
            if (output.includes("to go on:") && !child.stdin.writableEnded) child.stdin.end(keys);
        });
        child.on("error", reject).on("close", () => resolve(output));
    });

describe("a question on a terminal", () => {
    it.each([
        ["the word", "alpha\n", /DONE/],
        ["another word", "beta\n", /not done: CANCELLED/],
        ["Ctrl-C", "\u0003", /not done: CANCELLED/],
        ["Ctrl-D", "\u0004", /not done: CANCELLED/],
    ])("is answered by %s", async (_, keys, outcome) => {
        const output = await answered(keys);
        expect(output).toMatch(outcome);
        expect(output).not.toContain("AbortError");
    });
});
