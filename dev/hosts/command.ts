import { spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { DevError } from "../dev-error.ts";
import { heldLocks } from "./lock.ts";

export interface CommandResult {
    /** Exit status; 128 + signal number is not imitated: a killed command has code -1. */
    readonly code: number;
    readonly stdout: string;
    readonly stderr: string;
}

export interface CommandOptions {
    /** Text for its standard input; without it the command reads end of file. */
    readonly input?: string;
    /** The command is killed after this time. Default 60 s. */
    readonly timeoutMs?: number;
    readonly env?: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal;
    /** It works on what the caller's locks protect, so it keeps them until its end even when the caller is killed. Default true. */
    readonly keepsLocks?: boolean;
}

/** Output beyond this is an accident: a test host's command never needs it. */
const OUTPUT_LIMIT_BYTES = 64 * 1024 * 1024;

/** Runs a command to its end; an exit status other than 0 is a result, not an error. */
export function run(file: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return new Promise((resolve, reject) => {
        const child = spawn(file, args, {
            cwd: "/",
            stdio: ["pipe", "pipe", "pipe", ...(options.keepsLocks === false ? [] : heldLocks())],
            timeout: options.timeoutMs ?? 60_000,
            killSignal: "SIGKILL",
            ...(options.env === undefined ? {} : { env: options.env }),
            ...(options.signal === undefined ? {} : { signal: options.signal }),
        });
        // With further descriptors in the list the types no longer know that the first three are pipes.
        const [input, output, errors] = child.stdio as unknown as [Writable, Readable, Readable];
        const stdout = collect(output, () => child.kill("SIGKILL"));
        const stderr = collect(errors, () => child.kill("SIGKILL"));
        child.on("error", reject);
        child.on("close", (code) => resolve({ code: code ?? -1, stdout: stdout(), stderr: stderr() }));
        // A command that does not read its input closes the pipe early; that is its right.
        input.on("error", () => undefined);
        input.end(options.input ?? "");
    });
}

/** Runs a command that has to succeed and gives its standard output. */
export async function must(file: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
    const result = await run(file, args, options);
    if (result.code === 0) return result.stdout;
    const reason = lastLine(result.stderr) ?? lastLine(result.stdout) ?? `exit status ${result.code}`;
    throw new DevError(`${file} ${args.join(" ")} failed: ${reason}.`);
}

function collect(stream: Readable, overflow: () => void): () => string {
    const chunks: Buffer[] = [];
    let bytes = 0;
    stream.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > OUTPUT_LIMIT_BYTES) overflow();
        else chunks.push(chunk);
    });
    return () => Buffer.concat(chunks).toString("utf8");
}

function lastLine(text: string): string | undefined {
    return text.trimEnd().split("\n").at(-1)?.trim().replace(/\.$/, "") || undefined;
}
