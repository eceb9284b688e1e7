import { ZeroformError } from "../../protocol/errors.ts";
import type { SessionId } from "../../protocol/ids.ts";
import type { Reach } from "../../schema/on-node.ts";
import type { Connection } from "./connection.ts";
import { Hops } from "./hops.ts";
import { Line, type LinkOptions, type NodeLink } from "./line.ts";
import { Release, type ReleaseOptions } from "./release.ts";
import { type Route, resolveRoute, wayOf } from "./route.ts";
import { Turns } from "./shared-work.ts";
import type { Target } from "./target.ts";

export type { Connection, Terminal } from "./connection.ts";
export type { LinkOptions, NodeLink } from "./line.ts";
export type { AgentWanted } from "./reach-agent.ts";

export interface PoolOptions extends ReleaseOptions {
    /** Left out by an observer, which changes nothing. */
    readonly session?: SessionId | undefined;
    /** Asked before every hello; rejects when nobody is there any more who would save what is done. */
    readonly beforeHello?: (() => Promise<void>) | undefined;
}

/** The connections of a process to its nodes: one SSH connection a machine and way to reach it, shared by all who ask. */
export class NodePool {
    readonly #session: SessionId | undefined;
    readonly #env: NodeJS.ProcessEnv;
    readonly #release: Release;
    readonly #beforeHello: (() => Promise<void>) | undefined;
    readonly #lines = new Map<string, PooledLine[]>();
    /** Where links were found, by what was asked for: ssh's configuration is read, about 1 ms, only for a link that is not open. */
    readonly #found = new Map<string, Line>();
    readonly #handshakes = new Map<string, Turns>();
    readonly #hops = new Hops((target) => this.#queueOf(target));
    #isEnded = false;

    constructor({ session, beforeHello, env = process.env, agentBundle }: PoolOptions = {}) {
        this.#session = session;
        this.#beforeHello = beforeHello;
        this.#env = env;
        this.#release = new Release({ env, agentBundle });
    }

    /**
     * A conversation with the agent of a node. Waits for a node that is down until `signal` ends the wait (5 minutes without one), and then
     * rejects with what stood in the way; what no waiting mends (keys, host key, settings, an unsuitable machine) rejects at once.
     */
    async link(reach: Reach, options: LinkOptions): Promise<NodeLink> {
        const asked = JSON.stringify(reach);
        const found = this.#found.get(asked);
        if (found?.isOpen) return found.link(options);
        // Nothing is awaited where nothing has to be: so that whoever asks next finds the dial under way.
        const due = this.#lineTo(reach, options.signal);
        const line = due instanceof Line ? due : await due;
        this.#found.set(asked, line);
        return line.link(options);
    }

    /** The SSH connection to a node, whatever its agent does: for what is not the agent's business. Ended with the pool. */
    async connection(reach: Reach, signal: AbortSignal): Promise<Connection> {
        return (await this.#lineTo(reach, signal)).connection(signal);
    }

    #lineTo(reach: Reach, signal: AbortSignal | undefined): Line | Promise<Line> {
        if (this.#isEnded) throw new ZeroformError({ code: "CANCELLED", message: "the connections are being closed" });
        const route = resolveRoute(reach, this.#env);
        return this.#openLine(route) ?? this.#lineAfterFirstContact(route, signal);
    }

    /** Closes all connections. Nothing can be linked afterwards. */
    async end(): Promise<void> {
        this.#isEnded = true;
        await Promise.all([...this.#lines.values()].flat().map(({ line }) => line.end()));
        await this.#hops.end();
    }

    /** The line for a target; undefined when a first contact under way has to show whether it is one for this target too. */
    #openLine(route: Route): Line | undefined {
        const { target } = route;
        const lines = this.#lines.get(wayOf(route)) ?? [];
        const found = lines.find(({ given }) => given === target.hostKey);
        if (found) return found.line;
        const unpinned = lines.find(({ given }) => given === undefined)?.line;
        if (unpinned && target.hostKey !== undefined) {
            // What a first contact has met is what that line is pinned to from then on.
            if (unpinned.hostKey === target.hostKey) return unpinned;
            if (unpinned.hostKey === undefined && unpinned.isReaching) return undefined;
        }
        return this.#addLine(route);
    }

    async #lineAfterFirstContact(route: Route, signal: AbortSignal | undefined): Promise<Line> {
        const lines = this.#lines.get(wayOf(route)) ?? [];
        await lines.find(({ given }) => given === undefined)?.line.reached(signal);
        return this.#openLine(route) ?? this.#addLine(route);
    }

    #addLine(route: Route): Line {
        const way = wayOf(route);
        const line = new Line(route, {
            session: this.#session,
            release: this.#release,
            hops: this.#hops,
            beforeHello: this.#beforeHello,
        });
        this.#lines.set(way, [...(this.#lines.get(way) ?? []), { given: route.target.hostKey, line }]);
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
