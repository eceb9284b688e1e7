import { createHash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { ZeroformError } from "../../protocol/errors.ts";
import { cacheDirectory, cacheFailure } from "./cache-directory.ts";
import { NpmError, npmTarball } from "./npm-tarball.ts";
import { RUNTIMES, type Runtime } from "./runtimes.ts";
import type { Work } from "./shared-work.ts";
import { tarEntry } from "./tar-entry.ts";

const MIB = 1024 * 1024;
/** What a killed fetch leaves goes with the next one. */
const LEFTOVER_MS = 60 * 60_000;
const FETCH_LIMIT_MS = 30 * 60_000;
/** npm tells nobody how far it is, and gives up by itself when nothing comes: while it runs, data move. */
const MOVED_EVERY_MS = 5_000;
const DRAFT = ".fetch-";

/** Where the runtime of an architecture lies once it has been fetched. */
export const cachedRuntime = (runtime: Runtime, env: NodeJS.ProcessEnv): string =>
    join(cacheDirectory(env, "runtimes"), `bun-${runtime.version}-linux-${runtime.arch}`);

/** What of this release's runtimes is in the user's cache. */
export const runtimeCache = async (
    env: NodeJS.ProcessEnv = process.env,
): Promise<{
    readonly directory: string;
    readonly entries: readonly {
        readonly arch: Runtime["arch"];
        readonly version: string;
        readonly path: string;
        readonly bytes: number;
    }[];
}> => {
    const found = RUNTIMES.map(async (runtime) => {
        const path = cachedRuntime(runtime, env);
        const bytes = await stat(path).then(
            ({ size }) => size,
            () => undefined,
        );
        return bytes === undefined ? [] : [{ arch: runtime.arch, version: runtime.version, path, bytes }];
    });
    return { directory: cacheDirectory(env, "runtimes"), entries: (await Promise.all(found)).flat() };
};

/**
 * Fetches a runtime from the npm registry into the cache and gives its path. Nothing lies under that name before it is whole, right and on
 * the disk; several processes may do so at once, each for itself, and the last one's file stays: they are equal.
 */
export const fetchRuntime = async (
    runtime: Runtime,
    env: NodeJS.ProcessEnv,
    { signal, progress, moved }: Pick<Work, "signal" | "progress" | "moved">,
): Promise<string> => {
    const path = cachedRuntime(runtime, env);
    const directory = dirname(path);
    const draft = join(directory, `${DRAFT}${randomBytes(6).toString("hex")}`);
    const moving = setInterval(moved, MOVED_EVERY_MS);
    try {
        await mkdir(draft, { recursive: true });
        await removeLeftovers(directory);
        progress(`fetching Bun ${runtime.version} for ${runtime.arch} from the npm registry`);
        const limited = AbortSignal.any([signal, AbortSignal.timeout(FETCH_LIMIT_MS)]);
        const tarball = await npmTarball(`${runtime.package}@${runtime.version}`, draft, { env, signal: limited });
        await assertIntegrity(tarball, runtime);
        progress(`unpacking Bun ${runtime.version} for ${runtime.arch}`);
        await unpack(tarball, join(draft, "bun"), limited);
        await rename(join(draft, "bun"), path);
        await sync(directory);
        return path;
    } catch (thrown) {
        signal.throwIfAborted();
        throw explained(thrown, runtime, directory);
    } finally {
        clearInterval(moving);
        // What cannot go now goes as a leftover.
        await rm(draft, { recursive: true, force: true }).catch(() => undefined);
    }
};

const removeLeftovers = async (directory: string): Promise<void> => {
    for (const name of (await readdir(directory)).filter((entry) => entry.startsWith(DRAFT))) {
        const path = join(directory, name);
        const made = await stat(path).catch(() => undefined);
        if (made && Date.now() - made.mtimeMs > LEFTOVER_MS) await rm(path, { recursive: true, force: true });
    }
};

class WrongHash extends Error {}

const assertIntegrity = async (tarball: string, { integrity }: Runtime): Promise<void> => {
    const hash = createHash("sha512");
    await pipeline(createReadStream(tarball, { highWaterMark: MIB }), hash);
    const found = `sha512-${hash.digest("base64")}`;
    if (found !== integrity) throw new WrongHash(found);
};

const unpack = async (tarball: string, to: string, signal: AbortSignal): Promise<void> => {
    const input = createReadStream(tarball, { highWaterMark: MIB });
    const plain = createGunzip({ chunkSize: MIB });
    const content = (source: AsyncIterable<Buffer>) => tarEntry(source, "package/bin/bun");
    await pipeline(input, plain, content, createWriteStream(to, { mode: 0o755, flush: true }), { signal });
};

const sync = async (directory: string): Promise<void> => {
    const handle = await open(directory);
    try {
        await handle.sync();
    } finally {
        await handle.close();
    }
};

/** npm's codes for a registry that cannot be asked. */
const UNREACHABLE =
    /^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ECONNABORTED|ETIMEDOUT|ESOCKETTIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT|EPIPE|EIDLETIMEOUT|FETCH_ERROR)$/;

const explained = (thrown: unknown, runtime: Runtime, directory: string): ZeroformError => {
    const spec = `${runtime.package}@${runtime.version}`;
    const own = `point ZEROFORM_RUNTIME to bin/bun of ${spec}`;
    const failure = (message: string, hint: string) => new ZeroformError({ code: "RUNTIME_MISSING", message, hint }, thrown);
    if (thrown instanceof WrongHash)
        return failure(
            `the npm registry gave a ${spec} that is not the one zeroform was tested with (${thrown.message})`,
            `Somebody changed it on its way: see \`npm config get registry\` and ask who runs it; or ${own}, had from elsewhere.`,
        );
    const code = codeOf(thrown);
    if (code === "NO_NPM")
        return failure(
            `the agent needs ${spec}, and there is no npm on PATH to fetch it with`,
            `Install npm, which comes with Node.js, or ${own}.`,
        );
    const bytes = runtime.bytes * 2;
    if (!(thrown instanceof NpmError)) {
        const ours = cacheFailure(thrown, { directory, what: spec, bytes });
        if (ours) return ours;
    } else if (code === "ENOSPC" || code === "EDQUOT")
        return failure(
            `the disk is full: ${spec} does not fit into ${directory} or npm's cache`,
            `Free ${Math.ceil(bytes / MIB)} MiB, or let XDG_CACHE_HOME and npm's setting \`cache\` name directories with room.`,
        );
    const words = thrown instanceof Error ? thrown.message : String(thrown);
    if (UNREACHABLE.test(code ?? ""))
        return failure(
            `the npm registry, which has ${spec} for the agent, cannot be reached: ${words}`,
            `Check the network and npm's registry and proxy settings (npm config list); without a registry, ${own}.`,
        );
    return failure(`npm could not fetch ${spec} for the agent: ${words}`, `Try \`npm pack ${spec}\`, or ${own}.`);
};

const codeOf = (thrown: unknown): string | undefined => (thrown instanceof Error ? (thrown as NodeJS.ErrnoException).code : undefined);
