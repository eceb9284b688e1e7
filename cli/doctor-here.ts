import { execFile } from "node:child_process";
import { access, constants, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { compareVersions, VERSION } from "../protocol/version.ts";
import { gatherKeys } from "../provider/node/keys.ts";
import { Release } from "../provider/node/release.ts";
import { runtimeCache } from "../provider/node/runtime-cache.ts";
import { resolveTarget } from "../provider/node/target.ts";
import { reach } from "../schema/on-node.ts";
import { type Check, failed, ok, tried, warning } from "./check.ts";

const NODE_MIN = "22.12.0";
const PULUMI_MIN = "3.200.0";
const COMMAND_MS = 20_000;
const MIB = 2 ** 20;

/** What the operator's own machine has of what zeroform needs. Changes nothing. */
export const checkHere = (env: NodeJS.ProcessEnv = process.env, folder = process.cwd()): Promise<readonly Check[]> =>
    Promise.all([
        nodeVersion(),
        pulumiCli(env),
        languageHost(env),
        ...inProject(folder),
        tried("SSH settings", () => {
            resolveTarget(ANYWHERE, env);
            return ok("SSH settings", "can be read");
        }),
        tried("SSH keys", () => sshKeys(env)),
        tried("agent bundle", async () => {
            const { bytes } = await new Release({ env }).agent();
            return ok("agent bundle", `${VERSION}, ${mebibytes(bytes)}`);
        }),
        runtimes(env),
        npm(env),
    ]);

/** No name under `invalid` exists (RFC 6761): what holds for it holds for every host that has no settings of its own. */
const ANYWHERE = reach.parse({ host: "zeroform.invalid" });

const nodeVersion = (): Check => {
    const { node } = process.versions;
    return compareVersions(node, NODE_MIN) >= 0 ? ok("Node.js", node) : failed("Node.js", node, `Install Node.js ${NODE_MIN} or newer.`);
};

const pulumiCli = async (env: NodeJS.ProcessEnv): Promise<Check> => {
    const version = (await outputOf("pulumi", ["version"], env))?.replace(/^v/, "");
    const way = "Get it from https://www.pulumi.com/docs/install and put it on PATH.";
    if (version === undefined) return failed("pulumi", "not on PATH", way);
    return compareVersions(version, PULUMI_MIN) >= 0
        ? ok("pulumi", version)
        : failed("pulumi", version, `zeroform needs ${PULUMI_MIN} or newer. ${way}`);
};

const languageHost = async (env: NodeJS.ProcessEnv): Promise<Check> => {
    const what = "pulumi-language-nodejs";
    const path = await onPath(what, env);
    return path === undefined
        ? failed(what, "not on PATH", "It comes with the pulumi CLI, in the same folder: put that folder on PATH.")
        : ok(what, path);
};

/** What the project in this folder has installed; nothing where there is no project. */
const inProject = (folder: string): readonly Promise<Check>[] => {
    const { resolve } = createRequire(join(folder, "package.json"));
    const versionOf = async (name: string): Promise<string | undefined> => {
        try {
            return String((JSON.parse(await readFile(resolve(`${name}/package.json`), "utf8")) as { readonly version?: unknown }).version);
        } catch {
            return undefined;
        }
    };
    const project = isIn(folder, "Pulumi.yaml");
    const sdk = async (): Promise<Check> => {
        const what = "@pulumi/pulumi";
        const [version, isProject] = [await versionOf(what), await project];
        if (version === undefined)
            return isProject
                ? failed(what, "not installed in this project", "Run: npm install @pulumi/pulumi")
                : ok(what, "no project here");
        return compareVersions(version, PULUMI_MIN) >= 0
            ? ok(what, version)
            : failed(what, version, `zeroform needs ${PULUMI_MIN} or newer: npm install @pulumi/pulumi@latest`);
    };
    const own = async (): Promise<Check> => {
        const what = "zeroform";
        const [version, isProject] = [await versionOf(what), await project];
        if (version === undefined && isProject) return failed(what, "not installed in this project", "Run: npm install zeroform");
        if (version === undefined || version === VERSION) return ok(what, VERSION);
        return warning(what, `this command is ${VERSION}, the project has ${version}`, "Run the project's own: npx zeroform doctor");
    };
    return [sdk(), own()];
};

const sshKeys = async (env: NodeJS.ProcessEnv): Promise<Check> => {
    const what = "SSH keys";
    const { candidates, passedOver } = await gatherKeys(resolveTarget(ANYWHERE, env), undefined);
    const not = passedOver.length === 0 ? "" : `; not usable: ${passedOver.join(", ")}`;
    const ways = "Start an SSH agent and ssh-add a key, make one with ssh-keygen, or give Nodes identityFile or privateKey.";
    if (candidates.length === 0) return warning(what, `none${not}`, ways);
    const found = candidates.map(({ label }) => label).join(", ");
    return not === ""
        ? ok(what, found)
        : warning(what, `${found}${not}`, "Add what is missing to the SSH agent with ssh-add, if a node needs it.");
};

const runtimes = async (env: NodeJS.ProcessEnv): Promise<Check> => {
    const what = "runtime cache";
    const { directory, entries } = await runtimeCache(env);
    const there = entries.map(({ arch, version, bytes }) => `Bun ${version} for ${arch} (${mebibytes(bytes)})`).join(", ");
    if (!(await canBeWritten(directory)))
        return failed(what, `${directory} cannot be written`, "Make it writable, or set XDG_CACHE_HOME to a folder that is.");
    return ok(what, `${directory}: ${there || "empty, filled from the npm registry when a node needs it"}`);
};

const npm = async (env: NodeJS.ProcessEnv): Promise<Check> => {
    const version = await outputOf("npm", ["--version"], env);
    return version === undefined
        ? warning("npm", "not on PATH", "It fetches the runtime for nodes; without it point ZEROFORM_RUNTIME to a Linux build of Bun.")
        : ok("npm", version);
};

/** It, or the nearest folder above it that is there. */
const canBeWritten = async (directory: string): Promise<boolean> => {
    try {
        await access(directory, constants.W_OK | constants.X_OK);
        return true;
    } catch (failure) {
        const isAbsent = failure instanceof Error && "code" in failure && failure.code === "ENOENT";
        return isAbsent && dirname(directory) !== directory && canBeWritten(dirname(directory));
    }
};

const isIn = async (folder: string, name: string): Promise<boolean> => {
    if (
        await access(join(folder, name)).then(
            () => true,
            () => false,
        )
    )
        return true;
    return dirname(folder) !== folder && isIn(dirname(folder), name);
};

const onPath = async (program: string, env: NodeJS.ProcessEnv): Promise<string | undefined> => {
    for (const directory of (env.PATH ?? "").split(":")) {
        const path = join(directory, program);
        if (
            directory !== "" &&
            (await access(path, constants.X_OK).then(
                () => true,
                () => false,
            ))
        )
            return path;
    }
    return undefined;
};

const outputOf = async (program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string | undefined> => {
    try {
        const surroundings = { ...env, PULUMI_SKIP_UPDATE_CHECK: "true" };
        return (await promisify(execFile)(program, args, { env: surroundings, timeout: COMMAND_MS })).stdout.trim();
    } catch {
        return undefined;
    }
};

const mebibytes = (bytes: number): string => `${Math.max(1, Math.round(bytes / MIB))} MiB`;
