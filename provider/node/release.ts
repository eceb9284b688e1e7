import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { ZeroformError } from "../../protocol/errors.ts";
import { VERSION } from "../../protocol/version.ts";
import { compressInto } from "./compress.ts";
import type { ProbeReport } from "./probe.ts";

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

    /** The runtime for a machine: the file in ZEROFORM_RUNTIME, or the one that npm installed for its architecture. */
    async runtime(report: Pick<ProbeReport, "arch" | "hasAvx2">, node: string): Promise<Artifact> {
        const refuse = (message: string, hint: string) =>
            new ZeroformError({ code: "WRONG_ARCHITECTURE", action: "bootstrap", node, message: `${node} ${message}`, hint });
        const given = this.#env.ZEROFORM_RUNTIME;
        if (given) {
            if ((await architectureOf(given)) === report.arch) return this.#measure(given);
            throw refuse(
                `is ${report.arch}, and ZEROFORM_RUNTIME (${given}) is not a program for it`,
                "Point ZEROFORM_RUNTIME to a Linux build of Bun for it.",
            );
        }
        if (report.arch === "x86_64" && !report.hasAvx2)
            throw refuse(
                "has a processor without AVX2, which the usual build of Bun needs",
                "Download the baseline build of Bun and point ZEROFORM_RUNTIME to it.",
            );
        for (const path of runtimePlaces(report.arch)) if ((await architectureOf(path)) === report.arch) return this.#measure(path);
        throw refuse(
            `is ${report.arch}, and no Bun for it is installed here`,
            `Run: npm install --no-save --force ${NPM_PACKAGES[report.arch]}, or point ZEROFORM_RUNTIME to a Linux build of Bun for it.`,
        );
    }

    /** An artifact as a gzip file; kept by content hash, since compressing a runtime takes seconds. */
    compressed(artifact: Artifact): Promise<{ readonly path: string; readonly bytes: number }> {
        const { sha256 } = artifact;
        let compressed = this.#compressed.get(sha256);
        if (!compressed) {
            const directory = join(this.#env.XDG_CACHE_HOME || join(this.#env.HOME || homedir(), ".cache"), "zeroform", "compressed");
            compressed = compressInto(directory, artifact);
            compressed.catch(() => this.#compressed.delete(sha256));
            this.#compressed.set(sha256, compressed);
        }
        return compressed;
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

/** npm's packages of Bun, by architecture. */
const NPM_PACKAGES: Readonly<Record<string, string>> = { x86_64: "@oven/bun-linux-x64", aarch64: "@oven/bun-linux-aarch64" };

/** Beside the sources, and beside the compiled package. */
const bundlePlaces = (): string[] =>
    ["../../dist/agent/agent.js", "../../agent/agent.js"].map((path) => fileURLToPath(new URL(path, import.meta.url)));

/** Package `bun` moves the program of the machine that it is installed on into its own directory. */
const runtimePlaces = (arch: string): string[] => {
    const require = createRequire(import.meta.url);
    const inside = (name: string, path: string) => {
        try {
            return [join(dirname(require.resolve(`${name}/package.json`)), path)];
        } catch {
            return [];
        }
    };
    const name = NPM_PACKAGES[arch];
    return [...(name === undefined ? [] : inside(name, "bin/bun")), ...inside("bun", "bin/bun.exe")];
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
