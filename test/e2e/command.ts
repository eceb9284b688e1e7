import { type ChildProcess, spawn } from "node:child_process";
import type { Stack } from "./stack.ts";

const REPOSITORY = new URL("../..", import.meta.url).pathname;
export const ZEROFORM = `${REPOSITORY}dist/cli/zeroform.js`;
/** Far above what any command takes, so that a hang is seen as one. */
const LIMIT_MS = 120_000;

export interface Said {
    readonly code: number | null;
    readonly stdout: string;
    readonly stderr: string;
}

export interface Running {
    readonly child: ChildProcess;
    readonly ended: Promise<Said>;
    /** Resolves once standard output matches; rejects when it ends without. */
    readonly says: (pattern: RegExp) => Promise<RegExpExecArray>;
}

/** Starts a program about a stack: in its folder, with its backend. */
export const start = (
    stack: Stack,
    program: string,
    args: readonly string[],
    input?: string | Buffer,
    env: NodeJS.ProcessEnv = {},
): Running => {
    const { cwd, env: own } = stack.surroundings;
    const child = spawn(program, args, { cwd, env: { ...own, ...env }, timeout: LIMIT_MS, killSignal: "SIGKILL" });
    let [stdout, stderr] = ["", ""];
    const watchers = new Set<() => void>();
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
        stdout += text;
        for (const look of watchers) look();
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
        stderr += text;
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    const ended = new Promise<Said>((resolve, reject) => {
        child.on("error", reject);
        child.on("close", (code) => resolve({ code, stdout, stderr }));
    });
    const says = (pattern: RegExp) =>
        new Promise<RegExpExecArray>((resolve, reject) => {
            const look = () => {
                const found = pattern.exec(stdout);
                if (found === null) return;
                watchers.delete(look);
                resolve(found);
            };
            watchers.add(look);
            look();
            ended.then(() => reject(new Error(`${args.join(" ")} ended without ${pattern}: ${stderr}${stdout}`)), reject);
        });
    return { child, ended, says };
};

/** Runs `zeroform` to its end. */
export const run = async (stack: Stack, ...args: readonly string[]): Promise<Said> => {
    const said = await start(stack, "node", [ZEROFORM, ...args]).ended;
    stack.assertClean(said.stdout + said.stderr);
    return said;
};
