import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const RUNTIME = join(ROOT, "node_modules/.bin/bun");
const PROGRAM = join(ROOT, "engines/zstor/standalone.ts");

/** The engine as a process of its own. */
export interface FrontEnd {
    readonly socket: string;
    readonly pid: number;
    readonly lines: string[];
    readonly ended: Promise<number | string>;
    /** Runs a command against it. */
    run(
        words: readonly string[],
        input?: Buffer,
    ): Promise<{ readonly code: number | string; readonly out: Buffer; readonly error: string }>;
    kill(signal: NodeJS.Signals): Promise<number | string>;
}

/** Starts it with that configuration in a directory and waits until it serves. */
export async function startFrontEnd(directory: string, config: Record<string, unknown>): Promise<FrontEnd> {
    const socket = join(directory, "zstor.sock");
    const file = join(directory, "config.json");
    writeFileSync(file, JSON.stringify({ socket, view: join(directory, "view"), ...config }), { mode: 0o600 });
    const child = spawn(RUNTIME, [PROGRAM, "serve", "--config", file], { stdio: ["ignore", "pipe", "pipe"], cwd: ROOT });
    const ended = new Promise<number | string>((resolve) => child.on("close", (code, signal) => resolve(code ?? signal ?? "unknown")));
    onTestFinished(async () => {
        child.kill("SIGKILL");
        await ended;
    });
    const lines: string[] = [];
    await new Promise<void>((resolve, reject) => {
        for (const stream of [child.stdout, child.stderr])
            createInterface(stream).on("line", (line) => {
                lines.push(line);
                if (line === "ready") resolve();
            });
        void ended.then((how) => reject(new Error(`the front end ended (${how}) before it was ready: ${lines.join(" | ")}`)));
    });
    return {
        socket,
        pid: child.pid ?? 0,
        lines,
        ended,
        run: (words, input) => runCommand(["--socket", socket, ...words], input),
        kill(signal) {
            child.kill(signal);
            return ended;
        },
    };
}

/** Runs a command of the engine. */
export async function runCommand(words: readonly string[], input: Buffer = Buffer.alloc(0)) {
    const child = spawn(RUNTIME, [PROGRAM, ...words], { stdio: ["pipe", "pipe", "pipe"], cwd: ROOT });
    const out: Buffer[] = [];
    const errors: Buffer[] = [];
    child.stdout.on("data", (bytes: Buffer) => out.push(bytes));
    child.stderr.on("data", (bytes: Buffer) => errors.push(bytes));
    // A command that is refused may end before it has read everything.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    const code = await new Promise<number | string>((resolve) => child.on("close", (code, signal) => resolve(code ?? signal ?? "unknown")));
    return { code, out: Buffer.concat(out), error: Buffer.concat(errors).toString() };
}
