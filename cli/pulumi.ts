import { spawn } from "node:child_process";
import { ZeroformError } from "../protocol/errors.ts";
import { isInProject } from "./project.ts";

/** A stack's state with the secrets in clear stays in memory; far above what any stack takes. */
const OUTPUT_LIMIT_BYTES = 256 * 2 ** 20;
const NO_CLI_HINT = "Get it from https://www.pulumi.com/docs/install, or name a machine with --host.";
const HINT = "Run this in a Pulumi project with a selected stack, or name a machine with --host.";

/** Runs a command of the Pulumi CLI in this folder and gives what it printed; `failing` begins the sentence on a failure. `input` goes in by a pipe, and so into no file. */
export const pulumi = (args: readonly string[], stack: string | undefined, failing: string, input = ""): Promise<string> =>
    new Promise((resolve, reject) => {
        const all = [...args, "--non-interactive", "--color", "never", ...(stack ? ["--stack", stack] : [])];
        const child = spawn("pulumi", all, { stdio: ["pipe", "pipe", "pipe"] });
        let [stdout, stderr] = ["", ""];
        child.stdout.setEncoding("utf8").on("data", (text: string) => {
            stdout += text;
            if (stdout.length > OUTPUT_LIMIT_BYTES) child.kill();
        });
        child.stderr.setEncoding("utf8").on("data", (text: string) => {
            stderr += text;
        });
        child.on("error", (failure: NodeJS.ErrnoException) =>
            reject(
                failure.code === "ENOENT"
                    ? new ZeroformError({ code: "INVALID", message: "the pulumi command is not on PATH", hint: NO_CLI_HINT })
                    : failure,
            ),
        );
        child.on("close", (code) => {
            if (code === 0) return resolve(stdout);
            const words = complaintIn(stderr) ?? complaintIn(stdout);
            // In a project what is wrong is something else, and Pulumi says what.
            const hint = isInProject() ? undefined : HINT;
            reject(new ZeroformError({ code: "INVALID", message: `${failing}${words ? `: ${words}` : ""}`, hint }));
        });
        // A command that ends before it has read everything says why itself.
        child.stdin.on("error", () => undefined);
        child.stdin.end(input);
    });

/** The first error among the lines, or the first line. */
const complaintIn = (text: string): string | undefined => {
    const lines = text
        .trim()
        .split("\n")
        .map((line) => line.trim());
    const line = lines.find((each) => each.startsWith("error: ")) ?? lines.at(0);
    return line?.replace(/^error: /, "") || undefined;
};
