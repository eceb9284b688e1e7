import { connect, createServer, type Server, type Socket } from "node:net";

export interface Way {
    readonly oneWayMs?: number;
    /** In each direction. @default no limit */
    readonly bytesPerSecond?: number;
}

/** What is on the way at once: as much as a modem keeps. */
const PIECE_BYTES = 4 * 1024;

/** A TCP relay that holds everything back for a while and lets no more through than a thin line does: a long way, on one machine. */
export class SlowRelay implements AsyncDisposable {
    readonly #server: Server;
    readonly #sockets = new Set<Socket>();
    #isFrozen = false;
    /** Connections that were made through it. */
    connections = 0;
    /** Bytes that went towards the far end. */
    sent = 0;

    private constructor(server: Server) {
        this.#server = server;
    }

    static async to(host: string, port: number, { oneWayMs = 0, bytesPerSecond = Number.POSITIVE_INFINITY }: Way): Promise<SlowRelay> {
        // What the kernel keeps for a reader that waits must not be counted as arrived.
        const server = createServer({ highWaterMark: PIECE_BYTES });
        const relay = new SlowRelay(server);
        server.on("connection", (near) => {
            relay.connections += 1;
            const far = connect({ host, port, noDelay: true });
            near.setNoDelay(true);
            relay.#pass(near, far, oneWayMs, bytesPerSecond, (bytes) => {
                relay.sent += bytes;
            });
            relay.#pass(far, near, oneWayMs, bytesPerSecond);
        });
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
        return relay;
    }

    get port(): number {
        const address = this.#server.address();
        return typeof address === "object" && address !== null ? address.port : 0;
    }

    /** Ends all connections at once; new ones can be made. */
    cut(): void {
        for (const socket of this.#sockets) socket.destroy();
    }

    /** From now on nothing passes, and neither end is told: as when a laptop is closed, or a cable pulled. */
    freeze(): void {
        this.#isFrozen = true;
    }

    #pass(from: Socket, to: Socket, oneWayMs: number, bytesPerSecond: number, count?: (bytes: number) => void): void {
        this.#sockets.add(from);
        // Timers of one length fire in the order in which they were set.
        const later = (action: () => void) => (oneWayMs === 0 ? action() : void setTimeout(action, oneWayMs));
        from.on("data", (chunk) => {
            if (this.#isFrozen) return;
            count?.(chunk.length);
            later(() => to.write(chunk));
            if (bytesPerSecond === Number.POSITIVE_INFINITY) return;
            from.pause();
            setTimeout(() => from.resume(), (chunk.length / bytesPerSecond) * 1000);
        });
        from.on("end", () => this.#isFrozen || later(() => to.end()));
        from.on("error", () => this.#isFrozen || to.destroy());
        from.on("close", () => {
            this.#sockets.delete(from);
            if (!this.#isFrozen) later(() => to.destroy());
        });
    }

    async [Symbol.asyncDispose](): Promise<void> {
        this.#isFrozen = false;
        this.cut();
        await new Promise((resolve) => this.#server.close(resolve));
    }
}
