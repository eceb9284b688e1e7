import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join as path } from "node:path";
import { afterAll, afterEach, beforeAll } from "vitest";
import { down, exec, type HostInfo, reinstall, up } from "../../dev/hosts/index.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import { mintSessionId } from "../../protocol/ids.ts";
import { type LinkOptions, NodePool, type PoolOptions } from "../../provider/node/pool.ts";
import { type Reach, reach } from "../../schema/on-node.ts";
import { bundleFakeAgent } from "./fake-bundle.ts";

const MIB = 1024 ** 2;

/** A test host of the tests of the transport, with the fake agent to put on it. One a file, made and taken away with its tests. */
export class Transport {
    directory = "";
    /** Bundle of the usual fake agent. */
    bundle = "";
    readonly #prefix: string;
    readonly #diskBytes: number;
    readonly #pools: NodePool[] = [];
    #host: HostInfo | undefined;

    /** Call it at the top of a test file. */
    constructor(prefix: string, diskBytes = 2048 * MIB) {
        this.#prefix = prefix;
        this.#diskBytes = diskBytes;
        beforeAll(() => this.#begin());
        afterEach(async () => {
            await Promise.all(this.#pools.splice(0).map((pool) => pool.end()));
        });
        afterAll(async () => {
            await down({ prefix });
            await rm(this.directory, { recursive: true, force: true });
        });
    }

    get host(): HostInfo {
        if (this.#host === undefined) throw new Error("the host is not up");
        return this.#host;
    }

    /** Another installation at the same address. */
    async reinstall(): Promise<void> {
        this.#host = await reinstall(this.host);
        await this.#quietShell();
    }

    pool(options: PoolOptions = {}): NodePool {
        const pool = new NodePool({ session: mintSessionId(), agentBundle: this.bundle, ...options });
        this.#pools.push(pool);
        return pool;
    }

    reach(given: Partial<Reach> = {}): Reach {
        const { address, identityFile } = this.host;
        return reach.parse({ host: address, user: "root", identityFile, ...given });
    }

    async #begin(): Promise<void> {
        this.directory = await mkdtemp(path(tmpdir(), `${this.#prefix}-`));
        this.bundle = await bundleFakeAgent(this.directory);
        await down({ prefix: this.#prefix });
        [this.#host] = await up({ prefix: this.#prefix, count: 1, diskBytes: this.#diskBytes });
        await this.#quietShell();
    }

    /** The hosts have the home of this machine's root; what its shell does at each start is not to be measured. */
    async #quietShell(): Promise<void> {
        await exec(this.host, ["rm", "-f", "/root/.bashrc"]);
    }
}

export const want = (agent: LinkOptions["agent"] = "current", limitMs = 60_000): LinkOptions => ({
    agent,
    signal: AbortSignal.timeout(limitMs),
});

/** What a call is refused with. */
export const failure = async (call: Promise<unknown>): Promise<ZeroformError> => {
    const outcome = await call.catch((thrown: unknown) => thrown);
    if (outcome instanceof ZeroformError) return outcome;
    throw new Error("it was not refused by an error for users", { cause: outcome });
};

/** Milliseconds and result. */
export const timed = async <T>(work: () => Promise<T>): Promise<[number, T]> => {
    const start = performance.now();
    const result = await work();
    return [performance.now() - start, result];
};

/** The smallest of several measurements, until one is good: what is measured is what it costs, not what else this machine does meanwhile. */
export const leastDisturbed = async (
    measure: () => Promise<number>,
    { goal, attempts, between }: { readonly goal: number; readonly attempts: number; readonly between?: () => Promise<void> },
): Promise<number> => {
    let best = await measure();
    for (let attempt = 1; attempt < attempts && best >= goal; attempt++) {
        await between?.();
        best = Math.min(best, await measure());
    }
    return best;
};
