import { setTimeout as sleep } from "node:timers/promises";
import type { Method, Params, Result, Welcome } from "../../protocol/api.ts";
import type { CallOptions } from "../../protocol/channel.ts";
import { asZeroformError, ZeroformError } from "../../protocol/errors.ts";
import type { SessionId } from "../../protocol/ids.ts";
import type { GreetedChannel } from "./agent-channel.ts";
import type { Connection } from "./connection.ts";
import type { Hops } from "./hops.ts";
import { reachAgent, suits, type Want } from "./reach-agent.ts";
import type { Release } from "./release.ts";
import type { Route } from "./route.ts";
import { SharedWork, Turns, type Work } from "./shared-work.ts";
import { describeTarget, type Target } from "./target.ts";

/** A conversation with the agent of a node. */
export interface NodeLink {
    readonly welcome: Welcome;
    /** The machine's host key, `<type> <base64>`. */
    readonly hostKey: string;
    /** Host keys of the jump hosts on the way, as lines of known_hosts. */
    readonly hopKeys: readonly string[];
    readonly target: Target;
    request<M extends Method>(method: M, params: Params<M>, options?: CallOptions): Promise<Result<M>>;
    /** Resolves when the link is gone; the next `link()` of the pool makes a new one. */
    readonly closed: Promise<void>;
}

export interface LinkOptions extends Want {
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: ((doing: string) => void) | undefined;
    /** Called while an upload moves: whoever waits goes on waiting as long as that is so. */
    readonly onMoved?: (() => void) | undefined;
}

/** Without a signal of the caller's. */
const LINK_MS = 5 * 60_000;
const BACKOFF_MS = [250, 500, 1_000, 2_000, 4_000];
/** Keeps many waiting processes from coming back in step. */
const JITTER = 0.25;

export interface LineContext {
    readonly session: SessionId | undefined;
    readonly release: Release;
    readonly hops: Hops;
    /** Asked before every hello. */
    readonly beforeHello?: (() => Promise<void>) | undefined;
}

/** One way to one machine: at most one SSH connection, at most one channel to its agent, both made when needed and made again when lost. */
export class Line {
    #route: Route;
    readonly #context: LineContext;
    readonly #works = new Map<string, SharedWork<OpenLink>>();
    /** Bootstrap and greeting follow each other, whoever asks for them. */
    readonly #turns = new Turns();
    #connection: Connection | undefined;
    #link: OpenLink | undefined;
    #isEnded = false;

    constructor(route: Route, context: LineContext) {
        this.#route = route;
        this.#context = context;
    }

    get #target(): Target {
        return this.#route.target;
    }

    /** The machine's host key as soon as it is known: given, or seen at the first contact. */
    get hostKey(): string | undefined {
        return this.#target.hostKey;
    }

    async link({ agent, version, machine, signal, onProgress, onMoved }: LinkOptions): Promise<NodeLink> {
        const limit = signal ?? AbortSignal.timeout(LINK_MS);
        const name = this.#target.alias;
        const key = `${agent} ${version ?? ""} ${machine ?? ""}`;
        const open = this.#link;
        if (open && !open.isClosed && open.satisfied.has(key)) return open;
        let work = this.#works.get(key);
        if (!work || work.isAbandoned) {
            const started = new SharedWork(name, (own) => this.#establish({ agent, version, machine }, own));
            this.#works.set(key, started);
            const forget = () => {
                if (this.#works.get(key) === started) this.#works.delete(key);
            };
            started.settled.then(forget, forget);
            work = started;
        }
        const link = await work.join(limit, { onProgress, onMoved });
        link.satisfied.add(key);
        return link;
    }

    get isOpen(): boolean {
        return this.#link !== undefined && !this.#link.isClosed;
    }

    get isReaching(): boolean {
        return [...this.#works.values()].some((work) => !work.isAbandoned);
    }

    /** Waits until what is under way has succeeded or failed, for whoever it is. */
    async reached(signal: AbortSignal | undefined): Promise<void> {
        const works = [...this.#works.values()].filter((work) => !work.isAbandoned);
        await Promise.allSettled(works.map((work) => work.join(signal ?? AbortSignal.timeout(LINK_MS))));
    }

    async end(): Promise<void> {
        this.#isEnded = true;
        this.#link?.close();
        await this.#connection?.end();
    }

    /** The SSH connection alone, whatever becomes of the agent. */
    connection(signal: AbortSignal): Promise<Connection> {
        return new SharedWork(this.#target.alias, (own) => this.#persist(own, () => this.#connected(own))).join(signal);
    }

    #establish(want: Want, work: Work): Promise<OpenLink> {
        return this.#persist(work, () => this.#attempt(want, work));
    }

    /** Tries until it succeeds, fails for good, or nobody waits any more. */
    async #persist<T>(work: Work, act: () => Promise<T>): Promise<T> {
        for (let attempt = 0; ; attempt++) {
            try {
                return await this.#turns.run(act);
            } catch (thrown) {
                if (work.signal.aborted) throw thrown;
                const error = asZeroformError(thrown);
                if (!error.retryable) throw error;
                work.hindered(error);
                work.progress(waitingFor(error, this.#target));
                const pause = BACKOFF_MS[Math.min(attempt, BACKOFF_MS.length - 1)] ?? 0;
                await sleep(pause * (1 + JITTER * Math.random()), undefined, { signal: work.signal });
            }
        }
    }

    async #attempt(want: Want, work: Work): Promise<OpenLink> {
        work.signal.throwIfAborted();
        const connection = await this.#connected(work);
        const { session, release } = this.#context;
        const open = this.#link;
        if (open && !open.isClosed && (await suits(open.welcome, want, release, this.#target.alias))) return open;
        await this.#context.beforeHello?.();
        const link = new OpenLink(await reachAgent(connection, session, want, release, work), connection);
        // What is still open is the channel to the agent that was just replaced.
        open?.close();
        this.#link = link;
        return link;
    }

    async #connected(work: Work): Promise<Connection> {
        if (this.#isEnded) throw new ZeroformError({ code: "CANCELLED", message: "the connections are being closed" });
        if (this.#connection && !this.#connection.isClosed) return this.#connection;
        const connection = await this.#context.hops.dial(this.#route, work);
        work.hindered(undefined);
        this.#connection = connection;
        // Whoever answers there later in this process must be the same machine.
        this.#route = { ...this.#route, target: { ...this.#target, hostKey: connection.hostKey } };
        if (this.#isEnded) await connection.end();
        return connection;
    }
}

const waitingFor = (error: ZeroformError, target: Target): string => {
    const why = { SSH_REFUSED: "refused", SSH_TIMEOUT: "no answer", SSH_LOST: "connection lost" }[error.code as string];
    return why === undefined ? error.message : `waiting for SSH on ${describeTarget(target)} (${why})`;
};

class OpenLink implements NodeLink {
    readonly welcome: Welcome;
    readonly hostKey: string;
    readonly hopKeys: readonly string[];
    readonly target: Target;
    readonly closed: Promise<void>;
    /** The wants that this link has been found good for. */
    readonly satisfied = new Set<string>();
    readonly #channel: GreetedChannel["channel"];
    #isClosed = false;

    constructor({ welcome, channel }: GreetedChannel, { hostKey, hopKeys, target, closed }: Connection) {
        this.welcome = welcome;
        this.hostKey = hostKey;
        this.hopKeys = hopKeys;
        this.target = target;
        this.#channel = channel;
        this.closed = Promise.race([channel.closed, closed]).then(() => this.close());
    }

    get isClosed(): boolean {
        return this.#isClosed;
    }

    async request<M extends Method>(method: M, params: Params<M>, options?: CallOptions): Promise<Result<M>> {
        try {
            return await this.#channel.request(method, params, options);
        } catch (thrown) {
            throw asZeroformError(thrown).with({ node: this.target.alias });
        }
    }

    close(): void {
        this.#isClosed = true;
        this.#channel.close();
    }
}
