import type { Duplex } from "node:stream";
import { ZeroformError } from "../../protocol/errors.ts";
import type { Connection } from "./connection.ts";
import { dial, PATIENCE } from "./dial.ts";
import { silent } from "./failures.ts";
import { judgeHostKey } from "./host-key.ts";
import { runProxyCommand } from "./proxy-command.ts";
import { pinOf, type Route, wayOf } from "./route.ts";
import { SharedWork, type Turns, type Work } from "./shared-work.ts";
import { describeTarget, type Target } from "./target.ts";
import { connectTcp, type Transport } from "./transport.ts";

/** One jump host of a process: one SSH connection, for all whose way leads through it. */
interface Lane {
    connection: Connection | undefined;
    work: SharedWork<Connection> | undefined;
    /** What it showed first: whoever answers there later in this process must be the same machine. */
    hostKey: string | undefined;
}

/** The ways of a process to its hosts. Jump hosts on them are connected to once and shared, and again when their connection is gone. */
export class Hops {
    readonly #queueOf: (target: Target) => Turns;
    readonly #lanes = new Map<string, Lane>();
    #isEnded = false;

    /** `queueOf`: handshakes with one address come one after the other. */
    constructor(queueOf: (target: Target) => Turns) {
        this.#queueOf = queueOf;
    }

    /** A connection to the end of a route that is logged in. */
    async dial(route: Route, work: Work): Promise<Connection> {
        const { target, secrets } = route;
        const { signal } = work;
        const via = route.via && (await this.#hop(route.via, work));
        work.progress(`connecting to ${describeTarget(target)}`);
        work.suspected(silent(target, "has not answered in time"));
        return this.#queueOf(target).run(async () => {
            signal.throwIfAborted();
            const connection = await dial(target, secrets, signal, PATIENCE, () => this.#open(target, via, signal));
            connection.hopKeys = via ? [...via.hopKeys, pinOf(via.target, via.hostKey)] : [];
            return connection;
        });
    }

    async end(): Promise<void> {
        this.#isEnded = true;
        // Those nearest to the goal first: each says its goodbye through the ones before it.
        for (const { connection } of [...this.#lanes.values()].reverse()) await connection?.end();
    }

    async #open(target: Target, via: Connection | undefined, signal: AbortSignal): Promise<Transport> {
        if (via) return { stream: await forward(via, target, signal), lastWords: () => undefined };
        if (target.proxy.kind === "command") return runProxyCommand(target.proxy.command);
        return connectTcp(target, signal, PATIENCE.connectMs);
    }

    async #hop(route: Route, work: Work): Promise<Connection> {
        if (this.#isEnded) throw new ZeroformError({ code: "CANCELLED", message: "the connections are being closed" });
        const way = wayOf(route);
        const lane = this.#lanes.get(way) ?? { connection: undefined, work: undefined, hostKey: undefined };
        this.#lanes.set(way, lane);
        const connection = lane.connection && !lane.connection.isClosed ? lane.connection : await this.#shared(lane, route, work);
        // The lane was made by whoever came first, who may have expected nothing.
        const refusal = judgeHostKey(connection.hostKey, { pinned: route.target.hostKey, known: [] }, route.target);
        if (refusal) throw refusal;
        return connection;
    }

    async #shared(lane: Lane, route: Route, { signal, progress, hindered, suspected }: Work): Promise<Connection> {
        suspected(silent(route.target, "has not answered in time"));
        if (!lane.work || lane.work.isAbandoned) {
            const expected = { ...route, target: { ...route.target, hostKey: lane.hostKey ?? route.target.hostKey } };
            const work = new SharedWork(route.target.alias, (own) => this.dial(expected, own));
            lane.work = work;
            const settle = (made: Connection | undefined) => {
                if (lane.work === work) lane.work = undefined;
                if (!made) return;
                lane.connection = made;
                lane.hostKey = made.hostKey;
                if (this.#isEnded) void made.end();
            };
            work.settled.then(settle, () => settle(undefined));
        }
        const connection = await lane.work.join(signal, { onProgress: progress });
        // Whatever stood in the way to this hop does no more.
        hindered(undefined);
        return connection;
    }
}

/** A hop that opens no channel and does not answer either within this is gone, whatever its socket says. */
const ALIVE_MS = 10_000;

/** A stream from a jump host to the next host on the way. */
const forward = async (via: Connection, target: Target, signal: AbortSignal): Promise<Duplex> => {
    try {
        return await via.forward(target, signal, PATIENCE.connectMs);
    } catch (thrown) {
        // It may be the jump host that is silent: then the next attempt starts from a new connection to it.
        if (thrown instanceof ZeroformError && thrown.code === "SSH_TIMEOUT") await via.dropUnlessAlive(ALIVE_MS);
        throw thrown;
    }
};
