import { createHash } from "node:crypto";
import { ZeroformError } from "../../protocol/errors.ts";
import type { SessionId } from "../../protocol/ids.ts";
import type { Reach } from "../../schema/on-node.ts";
import { Line, type LinkOptions, type NodeLink } from "./line.ts";
import { Release, type ReleaseOptions } from "./release.ts";
import { Turns } from "./shared-work.ts";
import { resolveTarget, type Target } from "./target.ts";

export type { LinkOptions, NodeLink } from "./line.ts";
export type { AgentWanted } from "./reach-agent.ts";

export interface PoolOptions extends ReleaseOptions {
    /** Left out by an observer, which changes nothing. */
    readonly session?: SessionId | undefined;
}

/** The connections of a process to its nodes: one SSH connection a machine and way to reach it, shared by all who ask. */
export class NodePool {
    readonly #session: SessionId | undefined;
    readonly #env: NodeJS.ProcessEnv;
    readonly #release: Release;
    readonly #lines = new Map<string, PooledLine[]>();
    readonly #handshakes = new Map<string, Turns>();
    #isEnded = false;

    constructor({ session, env = process.env, agentBundle }: PoolOptions = {}) {
        this.#session = session;
        this.#env = env;
        this.#release = new Release({ env, agentBundle });
    }

    /**
     * A conversation with the agent of a node. Waits for a node that is down until `signal` ends the wait (5 minutes without one), and then
     * rejects with what stood in the way; what no waiting mends (keys, host key, settings, an unsuitable machine) rejects at once.
     */
    async link(reach: Reach, options: LinkOptions): Promise<NodeLink> {
        if (this.#isEnded) throw new ZeroformError({ code: "CANCELLED", message: "the connections are being closed" });
        const target = resolveTarget(reach, this.#env);
        const line = await this.#lineTo(target, reach.privateKey, options.signal);
        return line.link(options);
    }

    /** Closes all connections. Nothing can be linked afterwards. */
    async end(): Promise<void> {
        this.#isEnded = true;
        await Promise.all([...this.#lines.values()].flat().map(({ line }) => line.end()));
    }

    async #lineTo(target: Target, privateKey: string | undefined, signal: AbortSignal | undefined): Promise<Line> {
        const way = wayTo(target, privateKey);
        const found = this.#lines.get(way)?.find(({ given }) => given === target.hostKey);
        if (found) return found.line;
        // A first contact without an expected key serves those as well who pinned the key that it has met.
        const open = this.#lines.get(way)?.find(({ given }) => given === undefined);
        if (open && target.hostKey !== undefined) {
            if (open.line.hostKey === undefined) await open.line.settled(signal);
            if (open.line.hostKey === target.hostKey) return open.line;
            const made = this.#lines.get(way)?.find(({ given }) => given === target.hostKey);
            if (made) return made.line;
        }
        const line = new Line(target, privateKey, { session: this.#session, release: this.#release, handshakes: this.#queueOf(target) });
        this.#lines.set(way, [...(this.#lines.get(way) ?? []), { given: target.hostKey, line }]);
        return line;
    }

    #queueOf({ address, port }: Target): Turns {
        const place = JSON.stringify([address, port]);
        const queue = this.#handshakes.get(place) ?? new Turns();
        this.#handshakes.set(place, queue);
        return queue;
    }
}

interface PooledLine {
    /** The host key that was expected when the line was made. */
    readonly given: string | undefined;
    readonly line: Line;
}

/** Everything that tells one way to a machine from another, but for the host key. Keys by digest. */
const wayTo = (target: Target, privateKey: string | undefined): string => {
    const { alias: _, hostKey: __, ...way } = target;
    const key = privateKey === undefined ? undefined : createHash("sha256").update(privateKey).digest("base64");
    return JSON.stringify([way, key]);
};
