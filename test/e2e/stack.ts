import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as Pulumi from "@pulumi/pulumi";
import type * as Zeroform from "../../sdk/index.ts";

const REPOSITORY = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
/** One command of the CLI: far above what any takes, so that a hang is seen as one. */
const COMMAND_LIMIT_MS = 240_000;

/** What a test's program is given: the libraries, and plain values of the test. */
export interface Libraries {
    readonly pulumi: typeof Pulumi;
    readonly zeroform: typeof Zeroform;
}
/** A Pulumi program as a function that uses nothing but its arguments: its text is what runs. */
export type Program<V> = (libraries: Libraries, values: V) => Record<string, unknown> | undefined;

export interface Outcome {
    readonly code: number | null;
    readonly output: string;
    readonly stdout: string;
}

export interface StateResource {
    readonly urn: string;
    readonly type: string;
    readonly id?: string;
    readonly delete?: boolean;
    readonly inputs?: Readonly<Record<string, unknown>>;
    readonly outputs?: Readonly<Record<string, unknown>>;
    readonly initErrors?: readonly string[];
}

export type Plan = Readonly<Record<string, string>>;

/** A stack of its own in a project of its own, driven by the real CLI with a file backend. */
export class Stack implements AsyncDisposable {
    readonly directory: string;
    readonly environment: Record<string, string> = {};
    /** A benchmark of a large program waits longer. */
    commandLimitMs = COMMAND_LIMIT_MS;
    /** Texts that may never be seen in output or state. */
    readonly secrets: string[] = [];
    readonly #running = new Set<ChildProcess>();

    private constructor(directory: string) {
        this.directory = directory;
    }

    static async create(name = "test", project = "e2e", environment: Readonly<Record<string, string>> = {}): Promise<Stack> {
        const directory = await mkdtemp(join(tmpdir(), "zeroform-e2e-"));
        await mkdir(join(directory, "backend"));
        await mkdir(join(directory, "project"));
        const runtime = "runtime: { name: nodejs, options: { typescript: false } }";
        await writeFile(join(directory, "project", "Pulumi.yaml"), `name: ${project}\nmain: index.cjs\n${runtime}\n`);
        await writeFile(join(directory, "project", "package.json"), JSON.stringify({ name: project, private: true }));
        await symlink(join(REPOSITORY, "node_modules"), join(directory, "project", "node_modules"));
        const stack = new Stack(directory);
        Object.assign(stack.environment, environment);
        await stack.must(["stack", "init", name]);
        return stack;
    }

    async program<V>(program: Program<V>, values: V): Promise<void> {
        await writeFile(
            join(this.directory, "project", "index.cjs"),
            `const libraries = { pulumi: require("@pulumi/pulumi"), zeroform: require("zeroform") };
module.exports = (${program.toString()})(libraries, ${JSON.stringify(values)});
`,
        );
    }

    /** From now on the program and its provider load what lies in this `node_modules`. */
    async useModules(path: string): Promise<void> {
        const link = join(this.directory, "project", "node_modules");
        await rm(link);
        await symlink(path, link);
    }

    up(...args: readonly string[]): Promise<Outcome> {
        return this.must(["up", "--skip-preview", ...args]);
    }
    refresh(...args: readonly string[]): Promise<Outcome> {
        return this.must(["refresh", "--skip-preview", ...args]);
    }
    destroy(...args: readonly string[]): Promise<Outcome> {
        return this.must(["destroy", "--skip-preview", ...args]);
    }

    /** What a preview shows for each of our resources, by name: "create", "same", "update", "replace", "delete" ... */
    async plan(...args: readonly string[]): Promise<Plan> {
        const { stdout } = await this.must(["preview", "--json", "--show-sames", ...args]);
        const { steps } = JSON.parse(stdout) as { steps: { op: string; urn: string }[] };
        const plan: Record<string, string> = {};
        for (const { op, urn } of steps.filter(({ urn }) => urn.includes("zeroform:"))) {
            const name = nameOf(urn);
            // A replacement is three steps; the one that names it stays.
            if (plan[name] !== "replace") plan[name] = op;
        }
        return plan;
    }

    /** Runs a command of the CLI that has to succeed. */
    async must(args: readonly string[]): Promise<Outcome> {
        const outcome = await this.run(args);
        if (outcome.code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${outcome.code}:\n${outcome.output}`);
        return outcome;
    }

    /** Runs a command of the CLI that has to fail, and gives what it said. */
    async fails(args: readonly string[]): Promise<string> {
        const outcome = await this.run(args);
        if (outcome.code === 0) throw new Error(`pulumi ${args.join(" ")} should have failed:\n${outcome.output}`);
        return outcome.output;
    }

    async run(args: readonly string[]): Promise<Outcome> {
        const { ended } = this.start(args);
        const outcome = await ended;
        this.assertClean(outcome.output);
        return outcome;
    }

    /** Where programs run that are about this stack. */
    get surroundings(): { readonly cwd: string; readonly env: NodeJS.ProcessEnv } {
        return {
            cwd: join(this.directory, "project"),
            env: {
                ...process.env,
                PULUMI_BACKEND_URL: `file://${join(this.directory, "backend")}`,
                PULUMI_HOME: join(this.directory, "home"),
                PULUMI_CONFIG_PASSPHRASE: "",
                PULUMI_SKIP_UPDATE_CHECK: "true",
                PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
                PULUMI_DISABLE_REGISTRY_RESOLVE: "true",
                ...this.environment,
            },
        };
    }

    /** Starts a command of the CLI and leaves it running: for tests that kill it. */
    start(args: readonly string[]): {
        readonly child: ChildProcess;
        readonly ended: Promise<Outcome>;
        readonly seen: (pattern: RegExp) => Promise<void>;
    } {
        const child = spawn("pulumi", [...args, ...flags(args)], {
            ...this.surroundings,
            stdio: ["ignore", "pipe", "pipe"],
            timeout: this.commandLimitMs,
            killSignal: "SIGKILL",
            detached: true,
        });
        this.#running.add(child);
        const watchers = new Set<() => void>();
        let [stdout, output] = ["", ""];
        const heard = (text: string) => {
            output += text;
            for (const watcher of watchers) watcher();
        };
        child.stdout?.setEncoding("utf8").on("data", (text: string) => {
            stdout += text;
            heard(text);
        });
        child.stderr?.setEncoding("utf8").on("data", heard);
        const ended = new Promise<Outcome>((resolve, reject) => {
            child.on("error", reject);
            // Orphans of a killed CLI keep its pipes open: what was said until it ended is what counts.
            child.on("exit", (code) => setImmediate(() => resolve({ code, output, stdout })));
            child.on("close", () => this.#running.delete(child));
        });
        const seen = (pattern: RegExp) =>
            new Promise<void>((resolve, reject) => {
                const look = () => {
                    if (!pattern.test(output)) return;
                    watchers.delete(look);
                    resolve();
                };
                watchers.add(look);
                look();
                void ended.then(
                    () => (pattern.test(output) ? resolve() : reject(new Error(`ended without ${pattern}:\n${output}`))),
                    reject,
                );
            });
        return { child, ended, seen };
    }

    async state(): Promise<readonly StateResource[]> {
        const text = (await this.must(["stack", "export"])).stdout;
        for (const secret of this.secrets) if (text.includes(secret)) throw new Error(`the state shows the secret ${secret}`);
        const { deployment } = JSON.parse(text) as { deployment: { resources?: StateResource[] } };
        return (deployment.resources ?? []).filter(({ type }) => type.includes("zeroform:"));
    }

    /** The resource of this name in the state; the live one when an old one waits for its deletion. */
    async resource(name: string): Promise<StateResource> {
        const found = (await this.state()).find((resource) => nameOf(resource.urn) === name && !resource.delete);
        if (!found) throw new Error(`the state has no ${name}`);
        return found;
    }

    /** An output of the stack in clear; the one command that may show secrets. */
    async revealed<T>(name: string): Promise<T> {
        const { stdout, code, output } = await this.start(["stack", "output", "--json", "--show-secrets"]).ended;
        if (code !== 0) throw new Error(output);
        return (JSON.parse(stdout) as Record<string, T>)[name] as T;
    }

    /** No stack of ours, no secret. */
    assertClean(output: string): void {
        const trace = output.split("\n").find((line) => line.startsWith("    at "));
        if (trace) throw new Error(`output has a stack trace (${trace.trim()}):\n${output}`);
        for (const secret of this.secrets) if (output.includes(secret)) throw new Error(`output shows the secret ${secret}:\n${output}`);
    }

    async [Symbol.asyncDispose](): Promise<void> {
        for (const child of this.#running) if (child.pid !== undefined && child.exitCode === null) killGroup(child.pid);
        await endOrphans(this.directory);
        await rm(this.directory, { recursive: true, force: true });
    }
}

/** What a killed CLI leaves of Pulumi's own: language host, program, and a provider's host that had not loaded us yet. */
const endOrphans = async (directory: string): Promise<void> => {
    for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
        const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => "");
        if (cwd.startsWith(`${directory}/`)) process.kill(Number(pid), "SIGKILL");
    }
};

/** The CLI's whole process group: language host and program too. */
const killGroup = (pid: number) => {
    try {
        process.kill(-pid, "SIGKILL");
    } catch {
        // Gone already.
    }
};

export const nameOf = (urn: string): string => urn.split("::").at(-1) ?? urn;

const STEPPING = new Set(["up", "destroy", "refresh", "cancel"]);
const flags = ([command]: readonly string[]): readonly string[] => [
    "--non-interactive",
    "--color",
    "never",
    ...(command !== undefined && STEPPING.has(command) ? ["--yes"] : []),
];
