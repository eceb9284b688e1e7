import { type ExecFileOptions, execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";

const REPOSITORY = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
/** One command: far above what any takes, so that a hang is seen as one. */
const COMMAND_LIMIT_MS = 240_000;
const PNPM = "pnpm@10.34.8";

/** Somebody's directory outside the repository: the packed package, projects that install it, a Pulumi backend, and a cache of its own. */
export class Consumer implements AsyncDisposable {
    readonly directory: string;
    readonly tarball: string;
    readonly #env: NodeJS.ProcessEnv;

    private constructor(directory: string, tarball: string, env: NodeJS.ProcessEnv) {
        this.directory = directory;
        this.tarball = tarball;
        this.#env = env;
    }

    static async create(): Promise<Consumer> {
        const directory = await mkdtemp(join(tmpdir(), "zeroform-package-"));
        for (const name of ["backend", "home", "bin", "tarball"]) await mkdir(join(directory, name));
        await run("npm", ["pack", "--pack-destination", join(directory, "tarball")], { cwd: REPOSITORY });
        const [tarball] = await readdir(join(directory, "tarball"));
        if (tarball === undefined) throw new Error("npm pack left no tarball");
        const { host, path } = await toolsOf(directory);
        if (host !== undefined) await writeHostWrapper(join(directory, "bin", "pulumi-language-nodejs"), host);
        const env = {
            ...withoutNpmRun(process.env),
            PATH: path,
            XDG_CACHE_HOME: join(directory, "cache"),
            PULUMI_BACKEND_URL: `file://${join(directory, "backend")}`,
            PULUMI_HOME: join(directory, "home"),
            PULUMI_CONFIG_PASSPHRASE: "",
            PULUMI_SKIP_UPDATE_CHECK: "true",
            PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
            PULUMI_DISABLE_REGISTRY_RESOLVE: "true",
        };
        return new Consumer(directory, join(directory, "tarball", tarball), env);
    }

    /** Makes a project directory with these files. */
    async project(name: string, files: Readonly<Record<string, string>>): Promise<string> {
        const project = join(this.directory, name);
        await mkdir(project, { recursive: true });
        for (const [file, text] of Object.entries(files)) await writeFile(join(project, file), text);
        return project;
    }

    npmInstall(project: string): Promise<string> {
        return this.run(project, "npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", this.tarball]);
    }

    pnpmInstall(project: string): Promise<string> {
        const pnpm = ["exec", "--yes", "--prefer-offline", `--package=${PNPM}`, "--", "pnpm"];
        return this.run(project, "npm", [...pnpm, "add", "--prefer-offline", this.tarball]);
    }

    /** A new stack, `up`, a second preview that is empty, `destroy`. Gives what `up` said. */
    async live(project: string, stack: string, settings: Readonly<Record<string, string>> = {}): Promise<string> {
        const pulumi = (...args: string[]) => this.run(project, "pulumi", [...args, "--non-interactive", "--color", "never"]);
        await pulumi("stack", "init", stack);
        const config = Object.entries(settings).flatMap(([key, value]) => ["--plaintext", `${key}=${value}`]);
        if (config.length > 0) await pulumi("config", "set-all", ...config);
        try {
            const said = await pulumi("up", "--yes", "--skip-preview");
            await pulumi("preview", "--expect-no-changes");
            return said;
        } finally {
            await pulumi("destroy", "--yes", "--skip-preview");
        }
    }

    /** Runs a program as this consumer; fails with what it said. */
    async run(cwd: string, program: string, args: readonly string[]): Promise<string> {
        return run(program, args, { cwd, env: this.#env });
    }

    async [Symbol.asyncDispose](): Promise<void> {
        await rm(this.directory, { recursive: true, force: true });
    }
}

const run = async (program: string, args: readonly string[], options: ExecFileOptions): Promise<string> => {
    try {
        const limits = { timeout: COMMAND_LIMIT_MS, killSignal: "SIGKILL", maxBuffer: 64 * 1024 * 1024, encoding: "utf8" } as const;
        const { stdout, stderr } = await promisify(execFile)(program, args, { ...options, ...limits });
        return stdout + stderr;
    } catch (thrown) {
        const { stdout, stderr, message } = thrown as { stdout?: string; stderr?: string; message: string };
        throw new Error(`${program} ${args.join(" ")}: ${message}\n${stdout ?? ""}${stderr ?? ""}`);
    }
};

/** What a user has on PATH: nothing of this repository's node_modules but Node.js itself. */
const toolsOf = async (directory: string): Promise<{ readonly path: string; readonly host: string | undefined }> => {
    const machine = (process.env.PATH ?? "").split(delimiter).filter((entry) => entry !== "" && !entry.startsWith(`${REPOSITORY}/`));
    const path = [join(directory, "bin"), dirname(process.execPath), ...machine];
    for (const entry of machine) {
        const host = join(entry, "pulumi-language-nodejs-host");
        if ((await stat(host).catch(() => undefined))?.isFile()) return { path: path.join(delimiter), host };
    }
    return { path: path.join(delimiter), host: undefined };
};

/** Our own build of the language host gets no runtime options from the CLI: here they are read from the project, as a release does. */
const writeHostWrapper = async (path: string, host: string): Promise<void> => {
    await writeFile(
        path,
        `#!/bin/sh
args=$(sed -n 's/^ *nodeargs: *"\\(.*\\)"$/\\1/p' Pulumi.yaml)
if grep -q 'typescript: false' Pulumi.yaml; then typescript=false; else typescript=true; fi
exec ${host} -typescript=$typescript \${args:+"-nodeargs=$args"} "$@"
`,
    );
    await chmod(path, 0o755);
};

/** npm tells what it runs of the project that it runs in. */
const withoutNpmRun = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
    Object.fromEntries(
        Object.entries(env).filter(([name]) => !/^(npm_(package|lifecycle)_|npm_config_local_prefix$|INIT_CWD$)/.test(name)),
    );

/** The version that this repository develops with. */
export const versionOf = async (name: string): Promise<string> => {
    const { devDependencies } = JSON.parse(await readFile(join(REPOSITORY, "package.json"), "utf8"));
    return devDependencies[name];
};
