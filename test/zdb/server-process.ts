import { type ChildProcess, spawn } from "node:child_process";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PROGRAM = path.join(ROOT, "engines/zdb/standalone.ts");
/** Bun as in production; `ZDB_RUNTIME=node` runs the same tests on the other runtime. */
export const RUNTIME = path.join(ROOT, "node_modules/.bin", process.env.ZDB_RUNTIME ?? "bun");

/** The real server, as a process of its own. */
export interface ServerProcess {
    readonly pid: number;
    readonly lines: string[];
    /** Exit code, or the signal that ended it. */
    readonly ended: Promise<number | string>;
    kill(signal: NodeJS.Signals): Promise<number | string>;
}

/**
 * Starts it and waits for `ready`; it is killed when the test ends, or when `atEnd` says. `wrapper` runs it inside another program, such
 * as unshare.
 */
export async function startProcess(
    argv: readonly string[],
    wrapper: readonly string[] = [],
    atEnd: (cleanUp: () => Promise<void>) => void = onTestFinished,
): Promise<ServerProcess> {
    const [command = RUNTIME, ...args] = [...wrapper, RUNTIME, PROGRAM, ...argv];
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], cwd: ROOT });
    const ended = new Promise<number | string>((resolve) => child.on("close", (code, signal) => resolve(code ?? signal ?? "unknown")));
    atEnd(async () => {
        child.kill("SIGKILL");
        await ended;
    });
    const lines: string[] = [];
    await ready(child, lines, ended);
    return {
        pid: child.pid ?? 0,
        lines,
        ended,
        kill(signal) {
            child.kill(signal);
            return ended;
        },
    };
}

function ready(child: ChildProcess, lines: string[], ended: Promise<number | string>): Promise<void> {
    return new Promise((resolve, reject) => {
        for (const stream of [child.stdout, child.stderr]) {
            if (!stream) continue;
            createInterface(stream).on("line", (line) => {
                lines.push(line);
                if (line === "ready") resolve();
            });
        }
        void ended.then((how) => reject(new Error(`the server ended (${how}) before it was ready: ${lines.join(" | ")}`)));
    });
}
