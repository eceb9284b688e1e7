// What demonstrations need to show what they do: steps with their time, and commands whose output the reader sees.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const colours = process.stdout.isTTY && process.env.NO_COLOR === undefined;
const bold = (text: string) => (colours ? `\x1b[1m${text}\x1b[0m` : text);
const green = (text: string) => (colours ? `\x1b[32m${text}\x1b[0m` : text);

export const say = (text: string): void => console.log(text);
export const note = (text: string): void => console.log(`    ${text}`);

/** How long a command may take to end by itself after each signal; Pulumi leaves at the second one what it waits for, and ends its own processes. */
const ENDING: readonly (readonly [NodeJS.Signals, number])[] = [
    ["SIGINT", 1_000],
    ["SIGINT", 10_000],
    ["SIGKILL", 1_000],
];
const running = new Map<ChildProcess, Promise<unknown>>();
let isOver = false;
let steps = 0;

/** The story is over: commands under way end, neither a step nor a command begins any more. */
export async function endCommands(): Promise<void> {
    isOver = true;
    for (const [signal, waitMs] of ENDING) {
        if (running.size === 0) return;
        for (const { pid } of running.keys()) if (pid !== undefined) signalGroup(pid, signal);
        await Promise.race([Promise.all(running.values()), sleep(waitMs)]);
    }
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
    try {
        process.kill(-pid, signal);
    } catch {
        // It has ended meanwhile.
    }
}

function requireNotOver(): void {
    if (isOver) throw new Error("the story is over");
}

/** One step of the story: named, timed, and fatal when what it proves is not so. */
export async function step<T>(title: string, action: () => Promise<T>): Promise<T> {
    requireNotOver();
    say(bold(`\n${++steps}. ${title}`));
    const started = performance.now();
    const result = await action();
    say(green(`    ✓ ${((performance.now() - started) / 1000).toFixed(1)} s`));
    return result;
}

interface RunOptions {
    readonly cwd: string;
    readonly env: Readonly<Record<string, string>>;
    /** Collect the output instead of showing it; it is shown after all when the command fails. */
    readonly quiet?: boolean;
    readonly input?: string;
}

export function run(command: string, args: readonly string[], { cwd, env, quiet = true, input }: RunOptions): Promise<string> {
    requireNotOver();
    const child = spawn(command, args, {
        cwd,
        env: { ...process.env, ...env },
        stdio: ["pipe", quiet ? "pipe" : "inherit", quiet ? "pipe" : "inherit"],
        // A group of its own: a terminal's Ctrl-C is for whoever ends the story, and a pipe of commands ends as a whole.
        detached: true,
    });
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    if (child.pid !== undefined)
        running.set(
            child,
            ended.then(() => running.delete(child)),
        );
    return new Promise((resolve, reject) => {
        child.stdin?.end(input ?? "");
        let [stdout, output] = ["", ""];
        child.stdout?.on("data", (chunk: Buffer) => {
            stdout += chunk.toString();
            output += chunk.toString();
        });
        child.stderr?.on("data", (chunk: Buffer) => {
            output += chunk.toString();
        });
        child.on("error", reject);
        child.on("close", (code) => {
            if (code === 0) resolve(stdout);
            else reject(new Error(`${command} ${args[0] ?? ""} ended with ${code}\n${output}`));
        });
    });
}

interface StackOptions {
    readonly quiet?: boolean;
    /** Beside what a shell needs. */
    readonly env?: Readonly<Record<string, string>>;
}

export interface PulumiStack {
    (args: readonly string[], options?: StackOptions): Promise<string>;
    /** What a shell needs to work on the same stack. */
    readonly environment: Readonly<Record<string, string>>;
}

/** The Pulumi CLI on a project, with a backend in a directory: no account, no service. */
export function pulumi(project: string, backend: string, stack: string): PulumiStack {
    const environment = {
        PULUMI_BACKEND_URL: `file://${backend}`,
        PULUMI_HOME: join(backend, "home"),
        PULUMI_CONFIG_PASSPHRASE: "",
        PULUMI_STACK: stack,
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
        PULUMI_DISABLE_REGISTRY_RESOLVE: "true",
    };
    const command = (args: readonly string[], { quiet = false, env = {} }: StackOptions = {}) => {
        const color = !quiet && process.stdout.isTTY ? "auto" : "never";
        return run("pulumi", [...args, "--non-interactive", "--color", color], { cwd: project, env: { ...environment, ...env }, quiet });
    };
    return Object.assign(command, { environment });
}
