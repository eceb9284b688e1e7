import { type ExecFileException, execFile } from "node:child_process";
import { ZeroformError } from "../../protocol/errors.ts";

/** No program of ours prints more than a megabyte or so; more is a defect of it, and would be memory of the agent. */
const LONGEST_OUTPUT_BYTES = 8 * 2 ** 20;
const DEFAULT_TIMEOUT_MS = 60_000;
/** How long a program that was told to stop, or killed while it hangs in the kernel, is still waited for. */
const LAST_WAIT_MS = 5_000;
/** Programs of the system are found here, whatever environment the agent was started in. */
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** So many lines of what it said tell why. */
const LAST_LINES = 5;

export interface RunOptions {
    readonly signal?: AbortSignal | undefined;
    readonly timeoutMs?: number;
    readonly env?: Readonly<Record<string, string>>;
    /** Exit statuses that are an answer and no failure. @default [0] */
    readonly accept?: readonly number[];
}

export interface Ran {
    readonly status: number;
    readonly stdout: string;
    readonly stderr: string;
}

/** A program that failed: its own words, and its exit status (undefined: it was killed or never ran). */
export class ProgramFailure extends Error {
    override readonly name = "ProgramFailure";
    readonly program: string;
    readonly status: number | undefined;
    /** What it said about it, on one line. */
    readonly words: string;

    constructor(program: string, status: number | undefined, words: string) {
        super(`${program} failed${status === undefined ? "" : ` with status ${status}`}: ${words}`);
        this.program = program;
        this.status = status;
        this.words = words;
    }
}

/** Runs a program without a shell, with bounded output and a deadline. Throws ProgramFailure, or CANCELLED when the signal said so. */
export const run = (program: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> => {
    const { signal, timeoutMs = DEFAULT_TIMEOUT_MS, env = {}, accept = [0] } = options;
    return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(cancelled(program));
        let killed: Error | undefined;
        let late: NodeJS.Timeout | undefined;
        const child = execFile(
            program,
            [...args],
            { encoding: "utf8", maxBuffer: LONGEST_OUTPUT_BYTES, env: { PATH, LC_ALL: "C.UTF-8", ...env } },
            (failure, stdout, stderr) => {
                settle();
                const status = failure === null ? 0 : failure.code;
                if (killed !== undefined) return reject(killed);
                if (typeof status === "number" && accept.includes(status)) return resolve({ status, stdout, stderr });
                reject(new ProgramFailure(program, typeof status === "number" ? status : undefined, wordsOf(stderr, stdout, failure)));
            },
        );
        child.stdin?.end();
        const kill = (why: Error) => {
            killed ??= why;
            child.kill("SIGTERM");
            late ??= setTimeout(() => {
                child.kill("SIGKILL");
                settle();
                reject(why);
            }, LAST_WAIT_MS);
        };
        const onAbort = () => kill(cancelled(program));
        const onDeadline = () => kill(new ProgramFailure(program, undefined, `no end after ${timeoutMs / 1_000} s`));
        const deadline = setTimeout(onDeadline, timeoutMs);
        signal?.addEventListener("abort", onAbort, { once: true });
        const settle = () => {
            clearTimeout(deadline);
            clearTimeout(late);
            signal?.removeEventListener("abort", onAbort);
        };
    });
};

const cancelled = (program: string) =>
    new ZeroformError({ code: "CANCELLED", message: `${program} was stopped because nobody waits for it` });

/** Its own words; never what Node or Bun make of it, which is the command line. */
const wordsOf = (stderr: string, stdout: string, failure: ExecFileException | null): string => {
    if (failure?.code === "ENOENT") return "it is not installed";
    if (failure?.code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") return "it printed far too much";
    const said = [stderr, stdout].map((text) => text.trim()).find((text) => text !== "");
    if (said !== undefined)
        return said
            .split(/\s*\n\s*/)
            .slice(-LAST_LINES)
            .join("; ");
    return failure?.signal ? `it was killed (${failure.signal})` : "it said nothing";
};
