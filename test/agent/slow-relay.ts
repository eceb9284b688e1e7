import { connect, createServer, type Server, type Socket } from "node:net";

/** A TCP relay that holds everything back for a while: a long way, on one machine. */
export class SlowRelay implements AsyncDisposable {
    readonly #server: Server;
    readonly #sockets = new Set<Socket>();
    /** Connections that were made through it. */
    connections = 0;

    private constructor(server: Server) {
        this.#server = server;
    }

    static async to(host: string, port: number, oneWayMs: number): Promise<SlowRelay> {
        const server = createServer();
        const relay = new SlowRelay(server);
        server.on("connection", (near) => {
            relay.connections += 1;
            const far = connect({ host, port, noDelay: true });
            near.setNoDelay(true);
            relay.#pass(near, far, oneWayMs);
            relay.#pass(far, near, oneWayMs);
        });
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
        return relay;
    }

    get port(): number {
        const address = this.#server.address();
        return typeof address === "object" && address !== null ? address.port : 0;
    }

    #pass(from: Socket, to: Socket, oneWayMs: number): void {
        this.#sockets.add(from);
        // Timers of one length fire in the order in which they were set.
        const later = (action: () => void) => (oneWayMs === 0 ? action() : void setTimeout(action, oneWayMs));
        from.on("data", (chunk) => later(() => to.write(chunk)));
        from.on("end", () => later(() => to.end()));
        from.on("error", () => to.destroy());
        from.on("close", () => {
            this.#sockets.delete(from);
            later(() => to.destroy());
        });
    }

    async [Symbol.asyncDispose](): Promise<void> {
        for (const socket of this.#sockets) socket.destroy();
        await new Promise((resolve) => this.#server.close(resolve));
    }
}
