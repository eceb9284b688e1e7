import * as net from "node:net";
import { errorCode } from "./disk.ts";
import { formatAddress, type ListenAddress } from "./listen-address.ts";
import type { Entrance } from "./session.ts";
import type { Timers } from "./syncer.ts";
import type { TlsIdentity } from "./tls-identity.ts";

const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 5000;
/** Waiting connections the kernel keeps. */
const BACKLOG = 511;

export interface ListenersParts {
    readonly timers: Timers;
    /** undefined: plain TCP. */
    readonly tls: TlsIdentity | undefined;
    accept(socket: net.Socket, entrance: Entrance): void;
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

    /** Makes these, and only these, the listeners of namespaces; resolves when each was tried once. */
    async want(addresses: Iterable<ListenAddress>): Promise<void> {
        const wanted = new Map<string, ListenAddress>();
        for (const address of addresses) wanted.set(formatAddress(address), address);
        for (const [key, listener] of this.wanted) {
            if (wanted.has(key)) continue;
            this.wanted.delete(key);
            listener.close();
        }
        const tries: Promise<void>[] = [];
        for (const [key, address] of wanted) {
            if (this.own.has(key) || this.wanted.has(key)) continue;
            const listener = new Listener(this.parts, address, key);
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
    stateOf(addresses: readonly ListenAddress[]): string {
        if (addresses.length === 0) return "no (no listener asked for)";
        const problems = addresses.flatMap((address) => {
            const key = formatAddress(address);
            const problem = this.own.has(key) ? undefined : (this.wanted.get(key)?.problem ?? undefined);
            return problem ? [`${key} ${problem}`] : [];
        });
        return problems.length === 0 ? "yes" : `no (${problems.join(", ")})`;
    }

    close(): void {
        for (const listener of this.wanted.values()) listener.close();
        this.wanted.clear();
    }
}

/** One address, with a listener on it as soon as the system allows. */
class Listener {
    /** Why nobody can connect; undefined while listening. */
    problem: string | undefined = "is being opened";

    private readonly parts: ListenersParts;
    private readonly address: ListenAddress;
    private readonly key: string;
    private server: net.Server | undefined;
    private isClosed = false;
    private retryMs = FIRST_RETRY_MS;
    private cancelRetry: (() => void) | undefined;

    constructor(parts: ListenersParts, address: ListenAddress, key: string) {
        this.parts = parts;
        this.address = address;
        this.key = key;
    }

    async open(): Promise<void> {
        const entrance: Entrance = { key: this.key, kind: "namespace" };
        try {
            const server = await listen((socket) => this.parts.accept(socket, entrance), this.address, this.parts.tls);
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

/** A listening server on an address, with TLS when there is an identity, or on a unix socket path; rejects when the system refuses. */
export function listen(
    accept: (socket: net.Socket) => void,
    where: ListenAddress | { readonly path: string },
    tls?: TlsIdentity,
): Promise<net.Server> {
    return new Promise((resolve, reject) => {
        const server = tls ? tls.createServer(SOCKET_OPTIONS, accept) : net.createServer(SOCKET_OPTIONS, accept);
        server.once("error", reject);
        server.listen({ ...where, backlog: BACKLOG, exclusive: true }, () => {
            server.off("error", reject);
            resolve(server);
        });
    });
}
