import { spawn } from "node:child_process";
import { Duplex } from "node:stream";
import { ZeroformError } from "../../protocol/errors.ts";
import { describeTarget, type Target } from "./target.ts";
import type { Transport } from "./transport.ts";

const STDERR_KEPT = 2_000;
const WORDS_MAX = 300;
const MISSING_STATUS = 127;

/** Runs the ProxyCommand of ssh's configuration: its input and output are the connection. It ends with the connection. */
export const runProxyCommand = (command: string): Transport => {
    // As ssh does: the shell gives its place to the command, so that a signal reaches it.
    const child = spawn("/bin/sh", ["-c", `exec ${command}`], { stdio: ["pipe", "pipe", "pipe"] });
    const stream = Duplex.from({ readable: child.stdout, writable: child.stdin });
    let stderr = "";
    let ending: string | undefined;
    child.stderr.on("data", (chunk: Buffer) => {
        stderr = (stderr + chunk.toString("utf8")).slice(-STDERR_KEPT);
    });
    // What is written to a program that has gone fails in its own way; its ending says why.
    for (const each of [stream, child.stdin, child.stdout, child.stderr]) each.on("error", () => undefined);
    child.on("error", (error) => {
        ending = error.message;
        stream.destroy();
    });
    child.on("exit", (code, signalName) => {
        ending = code === null ? `ended by ${signalName}` : `status ${code}${code === MISSING_STATUS ? ", no such program" : ""}`;
    });
    // Its output may be kept open by children of its own, and its last words may come after its end.
    child.on("close", () => stream.destroy());
    stream.on("close", () => child.kill());
    return {
        stream,
        lastWords: () => {
            const words = stderr
                .split(/\r?\n/)
                .filter((line) => line.trim() !== "")
                .at(-1);
            return words?.trim().slice(0, WORDS_MAX) ?? ending;
        },
    };
};

/** The ProxyCommand of a target ended before there was an SSH connection. Another try may help: what it needs may be starting. */
export const proxyCommandFailed = (target: Target, words: string, cause: unknown): ZeroformError =>
    new ZeroformError(
        {
            code: "SSH_LOST",
            action: "connect",
            node: target.alias,
            message: `the ProxyCommand for ${describeTarget({ ...target, through: undefined })} ended without a connection: ${words}`,
            hint: `Try it by hand: ssh ${target.alias}.`,
            retryable: true,
        },
        cause,
    );
