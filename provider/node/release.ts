import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rm, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { ZeroformError } from "../../protocol/errors.ts";
import { VERSION } from "../../protocol/version.ts";
import { cacheDirectory } from "./cache-directory.ts";
import { compressedPath, compressInto } from "./compress.ts";
import type { ProbeReport } from "./probe.ts";
import { cachedRuntime, fetchRuntime } from "./runtime-cache.ts";
import { type Runtime, runtimeFor } from "./runtimes.ts";
import { SharedWork, type Work } from "./shared-work.ts";

/** A file of this package that nodes get. */
export interface Artifact {
    readonly path: string;
    readonly sha256: string;
    readonly bytes: number;
}

export interface ReleaseOptions {
    readonly env?: NodeJS.ProcessEnv | undefined;
    /** Path of the agent bundle. @default this package's */
    readonly agentBundle?: string | undefined;
}

/** What this package brings to a node: the agent, and the JavaScript runtime that it runs on. */
export class Release {
    readonly version = VERSION;
    readonly #env: NodeJS.ProcessEnv;
    readonly #agentBundle: string | undefined;
    readonly #compressed = new Map<string, Promise<{ readonly path: string; readonly bytes: number }>>();
    readonly #measured = new Map<string, Promise<Artifact>>();
    readonly #fetches = new Map<string, SharedWork<string>>();

    constructor({ env = process.env, agentBundle }: ReleaseOptions = {}) {
        this.#env = env;
        this.#agentBundle = agentBundle;
    }

    async agent(): Promise<Artifact> {
        const candidates = this.#agentBundle === undefined ? bundlePlaces() : [this.#agentBundle];
        for (const path of candidates) if (await isFile(path)) return this.#measure(path);
        throw new ZeroformError({
            code: "AGENT_MISSING",
            message: `this installation of zeroform has no agent bundle (looked for ${candidates.join(" and ")})`,
            hint: "Install the zeroform package again; in its repository, run npm run build.",
        });
    }

    /**
     * The runtime for a machine: the file in ZEROFORM_RUNTIME, or the pinned build for its architecture, which is fetched from the npm
     * registry when neither this package's surroundings nor the cache have it.
     */
    async runtime({ arch }: Pick<ProbeReport, "arch">, node: string, work: Work): Promise<Artifact> {
        const given = this.#env.ZEROFORM_RUNTIME;
        if (given) {
            if ((await architectureOf(given)) === arch) return this.#measure(given);
            if (!(await isFile(given)))
                throw new ZeroformError({
                    code: "RUNTIME_MISSING",
                    message: `ZEROFORM_RUNTIME names ${given}, and no such file is there`,
                    hint: "Point it to bin/bun of a Linux build of Bun, or unset it: zeroform gets one by itself.",
                });
            throw new ZeroformError({
                code: "WRONG_ARCHITECTURE",
                action: "bootstrap",
                node,
                message: `${node} is ${arch}, and ZEROFORM_RUNTIME (${given}) is not a program for it`,
                hint: "Point ZEROFORM_RUNTIME to a Linux build of Bun for it, or unset it: zeroform gets one by itself.",
            });
        }
        const runtime = runtimeFor(arch);
        if (!runtime) throw new Error(`no runtime for ${arch}, which the requirements let pass`);
        const near = await this.#exactly(runtime);
        if (near) return near;
        let fetch = this.#fetches.get(arch);
        if (!fetch || fetch.isAbandoned) {
            const fresh = new SharedWork(node, (work) => fetchRuntime(runtime, this.#env, work));
            // Once it is there, it is found there.
            const forget = () => void (this.#fetches.get(arch) === fresh && this.#fetches.delete(arch));
            fresh.settled.then(forget, forget);
            this.#fetches.set(arch, fresh);
            fetch = fresh;
        }
        return this.#measure(await fetch.join(work.signal, { onProgress: work.progress, onMoved: work.moved }));
    }

    /** By content: a file that is cut, old or of another make is none. */
    async #exactly(runtime: Runtime): Promise<Artifact | undefined> {
        for (const path of [...installedPlaces(runtime), cachedRuntime(runtime, this.#env)]) {
            if (!(await isFile(path)) || (await stat(path)).size !== runtime.bytes) continue;
            const artifact = await this.#measure(path);
            if (artifact.sha256 === runtime.sha256) return artifact;
        }
        return undefined;
    }

    /** An artifact as a gzip file; kept by content hash, since compressing a runtime takes seconds. Many may wait for one that is being made. */
    compressed(artifact: Artifact): Promise<{ readonly path: string; readonly bytes: number }> {
        const { sha256 } = artifact;
        let compressed = this.#compressed.get(sha256);
        if (!compressed) {
            compressed = compressInto(this.#compressedIn, artifact);
            this.#compressed.set(sha256, compressed);
            // Once it is there, it is found there.
            const forget = () => void this.#compressed.delete(sha256);
            compressed.then(forget, forget);
        }
        return compressed;
    }

    /** Its gzip file is damaged. */
    async forgetCompressed({ sha256 }: Artifact): Promise<void> {
        await rm(compressedPath(this.#compressedIn, sha256), { force: true });
    }

    get #compressedIn(): string {
        return cacheDirectory(this.#env, "compressed");
    }

    async #measure(path: string): Promise<Artifact> {
        const { mtimeMs, size, ino } = await stat(path);
        const identity = JSON.stringify([path, mtimeMs, size, ino]);
        let measured = this.#measured.get(identity);
        if (!measured) {
            measured = hashOf(path).then((sha256) => ({ path, sha256, bytes: size }));
            measured.catch(() => this.#measured.delete(identity));
            this.#measured.set(identity, measured);
        }
        return measured;
    }
}

/** Beside the sources, and beside the compiled package. */
const bundlePlaces = (): string[] =>
    ["../../dist/agent/agent.js", "../../agent/agent.js"].map((path) => fileURLToPath(new URL(path, import.meta.url)));

/** Where npm puts it when a package of it, or `bun` itself, is installed beside this one. */
const installedPlaces = (runtime: Runtime): string[] => {
    const require = createRequire(import.meta.url);
    const inside = (name: string, path: string) => {
        try {
            return [join(dirname(require.resolve(`${name}/package.json`)), path)];
        } catch {
            return [];
        }
    };
    return [...inside(runtime.package, "bin/bun"), ...inside("bun", "bin/bun.exe")];
};

const ELF_MACHINES: Readonly<Record<number, string>> = { 62: "x86_64", 183: "aarch64" };

/** The architecture of a Linux program; undefined when it is none. */
const architectureOf = async (path: string): Promise<string | undefined> => {
    if (!(await isFile(path))) return undefined;
    const file = await open(path);
    try {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(20), 0, 20, 0);
        return bytesRead === 20 && buffer.toString("latin1", 0, 4) === "\x7fELF" ? ELF_MACHINES[buffer.readUInt16LE(18)] : undefined;
    } finally {
        await file.close();
    }
};

const isFile = (path: string): Promise<boolean> =>
    stat(path).then(
        (entry) => entry.isFile(),
        () => false,
    );

const hashOf = async (path: string): Promise<string> => {
    const hash = createHash("sha256");
    await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
    return hash.digest("hex");
};
