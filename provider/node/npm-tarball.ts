import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";

export interface NpmOptions {
    readonly env: NodeJS.ProcessEnv;
    readonly signal: AbortSignal;
}

/** Why npm gave nothing: its own code ("E404", "ENOTFOUND" ...; "NO_NPM" when there is none) and its own words. */
export class NpmError extends Error {
    override readonly name = "NpmError";
    readonly code: string;

    constructor(code: string, words: string) {
        super(words);
        this.code = code;
    }
}

/**
 * A package's tarball from the npm registry, into an empty directory; gives its path. npm itself fetches it, since the user's registry,
 * credentials, proxies and certificates are npm's settings; it runs nothing of the package.
 */
export const npmTarball = async (spec: string, directory: string, { env, signal }: NpmOptions): Promise<string> => {
    const { code, stdout, stderr } = await npm(["pack", spec, "--pack-destination", directory, ...FLAGS], { env, signal });
    if (code !== 0) throw failureOf(stdout, stderr, code);
    const tarball = (await readdir(directory)).find((name) => name.endsWith(".tgz"));
    if (tarball === undefined) throw new NpmError("NO_TARBALL", "it said that all was well, and left no tarball");
    return join(directory, tarball);
};

/**
 * Shorter waits between attempts than npm's minute, and for a registry that is silent (while it sends, npm waits) than its five: somebody
 * looks on. What it has in its own cache is as good, since the hash is pinned.
 * Forced, since a project may say that only pnpm is to be used in it (devEngines), which npm otherwise obeys for this too.
 */
const FLAGS = [
    "--json",
    "--ignore-scripts",
    "--prefer-offline",
    "--dry-run=false",
    "--force",
    "--loglevel=error",
    "--fetch-timeout=60000",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=5000",
];

const npm = async (args: readonly string[], { env, signal }: NpmOptions) => {
    const child = spawn("npm", args, { env, signal, stdio: ["ignore", "pipe", "pipe"] });
    const said = Promise.all([text(child.stdout), text(child.stderr)]);
    try {
        const [code] = (await once(child, "close")) as [number | null];
        const [stdout, stderr] = await said;
        return { code, stdout, stderr };
    } catch (thrown) {
        await said.catch(() => undefined);
        if ((thrown as NodeJS.ErrnoException).code === "ENOENT") throw new NpmError("NO_NPM", "npm is not on PATH");
        throw thrown;
    }
};

/** With --json, npm says what is wrong as data. */
const failureOf = (stdout: string, stderr: string, status: number | null): NpmError => {
    try {
        const { error } = JSON.parse(stdout) as { error?: { code?: string; summary?: string } };
        if (error?.code) return new NpmError(error.code, withoutPassword(error.summary || error.code));
    } catch {
        // It died before it could.
    }
    const last = stderr.trim().split("\n").at(-1);
    return new NpmError("FAILED", withoutPassword(last || `it ended with ${status ?? "a signal"}`));
};

/** npm hides the password of a registry's URL itself, in the versions that we know. */
const withoutPassword = (words: string): string => words.replace(/\/\/[^/\s@]*@/g, "//");
