import * as net from "node:net";
import type { ClientSocket, SocketServer } from "./client-socket.ts";
import { errorCode } from "./disk.ts";
import { formatAddress, type ListenAddress } from "./listen-address.ts";
import { listenerKey, type NamespaceTls } from "./namespace-tls.ts";
import type { Properties } from "./properties.ts";
import { listenNatively } from "./seam-sockets.ts";
import type { Entrance } from "./session.ts";
import type { Timers } from "./syncer.ts";
import { TlsIdentity } from "./tls-identity.ts";

const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 5000;
/** Waiting connections the kernel keeps. */
const BACKLOG = 511;

export interface ListenersParts {
    readonly timers: Timers;
    /** Of namespaces that have none of their own; undefined: plain TCP. */
    readonly tls: TlsIdentity | undefined;
    accept(socket: ClientSocket, entrance: Entrance): void;
    log(line: string): void;
}

/** The TCP listeners namespaces asked for: opened, kept trying, closed as the wishes change. The server's own never close. */
export class Listeners {
    private readonly parts: ListenersParts;
    private readonly own = new Set<string>();
    private readonly wanted = new Map<string, Listener>();

    constructor(parts: ListenersParts) {
        this.parts = parts;
    }

    /** An address the server listens on itself, which namespaces may share. */
    addOwn(address: ListenAddress): void {
        this.own.add(formatAddress(address));
    }

    /** Makes what these ask for, and only that, the listeners of namespaces; resolves when each was tried once. */
    async want(namespaces: Iterable<Asking>): Promise<void> {
        const wanted = wishesOf(namespaces);
        for (const [key, listener] of this.wanted) {
            if (wanted.has(key)) continue;
            this.wanted.delete(key);
            listener.close();
        }
        const tries: Promise<void>[] = [];
        for (const [key, { address, tls }] of wanted) {
            if (this.own.has(key)) continue;
            const known = this.wanted.get(key);
            if (known) {
                known.renew(tls);
                continue;
            }
            const listener = new Listener(this.parts, address, key, tls);
            this.wanted.set(key, listener);
            tries.push(listener.open());
        }
        await Promise.all(tries);
    }

    /** Whether clients who came in here still may be here. */
    has(entrance: Entrance): boolean {
        return entrance.kind !== "namespace" || this.wanted.has(entrance.key);
    }

    /** `yes`, or which addresses are not listened on and why; for a namespace that asked for none: `no listener asked for`. */
    stateOf({ listen, tls }: Asking): string {
        if (listen.length === 0) return "no (no listener asked for)";
        const problems = listen.flatMap((address) => {
            const problem = this.problemOf(listenerKey(address, tls), formatAddress(address));
            return problem ? [`${formatAddress(address)} ${problem}`] : [];
        });
        return problems.length === 0 ? "yes" : `no (${problems.join(", ")})`;
    }

    private problemOf(key: string, address: string): string | undefined {
        const problem = this.own.has(key) ? undefined : this.wanted.get(key)?.problem;
        if (problem === undefined) return undefined;
        const isTaken = this.own.has(address) || [...this.wanted.values()].some((other) => other.serves(address));
        return isTaken ? "is listened on with other TLS settings, for another namespace" : problem;
    }

    close(): void {
        for (const listener of this.wanted.values()) listener.close();
        this.wanted.clear();
    }
}

/** What a namespace asks for. */
export type Asking = Pick<Properties, "listen" | "tls">;

interface Wish {
    readonly address: ListenAddress;
    readonly tls: NamespaceTls | undefined;
}

/** By key. Of several certificates for the same names the youngest is shown: so that namespaces on one address renew theirs one by one. */
function wishesOf(namespaces: Iterable<Asking>): ReadonlyMap<string, Wish> {
    const wishes = new Map<string, Wish>();
    for (const { listen, tls } of namespaces) {
        for (const address of listen) {
            const key = listenerKey(address, tls);
            const known = wishes.get(key);
            if (!known || isYounger(tls, known.tls)) wishes.set(key, { address, tls });
        }
    }
    return wishes;
}

function isYounger(tls: NamespaceTls | undefined, other: NamespaceTls | undefined): boolean {
    if (tls?.kind !== "certificate" || other?.kind !== "certificate") return false;
    if (tls.validFromMs !== other.validFromMs) return tls.validFromMs > other.validFromMs;
    return tls.digest > other.digest;
}

/** One address, with a listener on it as soon as the system allows. */
class Listener {
    /** Why nobody can connect; undefined while listening. */
    problem: string | undefined = "is being opened";

    private readonly parts: ListenersParts;
    private readonly address: ListenAddress;
    private readonly key: string;
    /** Without its certificate nobody is let in, rather than in clear. */
    private readonly isReadable: boolean;
    private readonly identity: TlsIdentity | undefined;
    private server: SocketServer | undefined;
    private isClosed = false;
    private retryMs = FIRST_RETRY_MS;
    private cancelRetry: (() => void) | undefined;

    constructor(parts: ListenersParts, address: ListenAddress, key: string, tls: NamespaceTls | undefined) {
        this.parts = parts;
        this.address = address;
        this.key = key;
        this.isReadable = tls?.kind !== "unreadable";
        this.identity = tls?.kind === "certificate" ? new TlsIdentity(tls.secrets) : parts.tls;
        if (!this.isReadable) this.problem = "has no certificate that can be read: set tls anew";
    }

    async open(): Promise<void> {
        if (!this.isReadable) return;
        const entrance: Entrance = { key: this.key, kind: "namespace" };
        try {
            const server = await listen((socket) => this.parts.accept(socket, entrance), this.address, this.identity);
            if (this.isClosed) {
                server.close();
                return;
            }
            this.server = server;
            if (this.retryMs > FIRST_RETRY_MS) this.parts.log(`listening on ${this.key} after all`);
            this.problem = undefined;
        } catch (error) {
            if (!this.isClosed) this.retry(errorCode(error));
        }
    }

    /** Shows another certificate with the same terms from now on. */
    renew(tls: NamespaceTls | undefined): void {
        if (tls?.kind === "certificate") this.identity?.renew(tls.secrets);
    }

    serves(address: string): boolean {
        return this.problem === undefined && formatAddress(this.address) === address;
    }

    close(): void {
        this.isClosed = true;
        this.cancelRetry?.();
        this.server?.close();
    }

    private retry(code: string): void {
        const problem = `cannot be listened on (${code}), retrying`;
        if (this.problem !== problem) this.parts.log(`${this.key} ${problem}`);
        this.problem = problem;
        this.cancelRetry = this.parts.timers.after(this.retryMs, () => void this.open());
        this.retryMs = Math.min(this.retryMs * 2, MAX_RETRY_MS);
    }
}

const SOCKET_OPTIONS: net.ServerOpts = { allowHalfOpen: true, noDelay: true, keepAlive: true };

/** Listens on an address, with TLS when there is an identity, or on a unix socket path; rejects when the system refuses. */
export async function listen(
    accept: (socket: ClientSocket) => void,
    where: ListenAddress | { readonly path: string },
    tls?: TlsIdentity,
): Promise<SocketServer> {
    if (listenNatively && !tls) return listenNatively(accept, where);
    return new Promise((resolve, reject) => {
        const server = tls ? tls.createServer(SOCKET_OPTIONS, accept) : net.createServer(SOCKET_OPTIONS, accept);
        server.once("error", reject);
        server.listen({ ...where, backlog: BACKLOG, exclusive: true }, () => {
            server.off("error", reject);
            resolve(server);
        });
    });
}
