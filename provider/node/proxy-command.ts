import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { Duplex } from "node:stream";
import { ZeroformError } from "../../protocol/errors.ts";
import { describeTarget, type Target } from "./target.ts";
import type { Transport } from "./transport.ts";

const STDERR_KEPT = 2_000;
const WORDS_MAX = 300;
const MISSING_STATUS = 127;
/** A program that has said all may take this long to end and to say why. */
const ENDING_MS = 1_000;

/** Runs the ProxyCommand of ssh's configuration: its input and output are the connection. It ends with the connection. */
export const runProxyCommand = (command: string): Transport => {
    // As ssh does: the shell gives its place to the command, so that a signal reaches it.
    const stream = new ProgramStream(spawn("/bin/sh", ["-c", `exec ${command}`]));
    stream.on("error", () => undefined);
    return { stream, lastWords: () => stream.lastWords };
};

/** Input and output of a program as one stream, which ends once the program's last words are known. */
class ProgramStream extends Duplex {
    readonly #child: ChildProcessWithoutNullStreams;
    #stderr = "";
    #ending: string | undefined;

    constructor(child: ChildProcessWithoutNullStreams) {
        super();
        this.#child = child;
        child.stdout.on("data", (chunk: Buffer) => {
            if (!this.push(chunk)) child.stdout.pause();
        });
        child.stderr.on("data", (chunk: Buffer) => {
            this.#stderr = (this.#stderr + chunk.toString("utf8")).slice(-STDERR_KEPT);
        });
        // What is written to a program that has gone fails in its own way; its ending says why.
        for (const each of [child.stdin, child.stdout, child.stderr]) each.on("error", () => undefined);
        const end = () => {
            if (!this.readableEnded && !this.destroyed) this.push(null);
        };
        child.on("error", (error) => {
            this.#ending = error.message;
        });
        child.on("exit", (code, signal) => {
            this.#ending =
                code === null ? `ended by ${signal}` : `it ended with status ${code}${code === MISSING_STATUS ? " (no such program)" : ""}`;
        });
        child.on("close", () => {
            end();
            clearTimeout(late);
        });
        let late: NodeJS.Timeout | undefined;
        child.stdout.on("end", () => {
            late = setTimeout(end, ENDING_MS);
        });
    }

    get lastWords(): string | undefined {
        const lines = this.#stderr.split(/\r?\n/).filter((line) => line.trim() !== "");
        return lines.at(-1)?.trim().slice(0, WORDS_MAX) ?? this.#ending;
    }

    override _read(): void {
        this.#child.stdout.resume();
    }

    override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
        this.#child.stdin.write(chunk, () => done());
    }

    override _final(done: () => void): void {
        this.#child.stdin.end(() => done());
    }

    override _destroy(error: Error | null, done: (error: Error | null) => void): void {
        this.#child.kill();
        done(error);
    }
}

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
