import * as net from "node:net";
import type { SeededRandom } from "./random.ts";

/** What a proxy does to what passes it. */
export const FAULTS = ["refuse", "drop", "delay", "cut", "corrupt"] as const;
export type Fault = (typeof FAULTS)[number];

const LONGEST_DELAY_MS = 60;

/** Stands before a server and passes everything on, or does it harm: in real time, to real bytes. */
export class FaultProxy {
    fault: Fault | undefined;
    port = 0;
    private readonly random: SeededRandom;
    private readonly server: net.Server;
    private readonly sockets = new Set<net.Socket>();

    static async before(port: number, random: SeededRandom): Promise<FaultProxy> {
        const proxy = new FaultProxy(port, random);
        await new Promise<void>((resolve) => proxy.server.listen(0, "127.0.0.1", resolve));
        const address = proxy.server.address();
        proxy.port = typeof address === "object" && address ? address.port : 0;
        return proxy;
    }

    private constructor(port: number, random: SeededRandom) {
        this.random = random;
        this.server = net.createServer((near) => {
            if (this.fault === "refuse") return near.destroy();
            const far = net.connect(port, "127.0.0.1");
            for (const [socket, other] of [
                [near, far],
                [far, near],
            ] as const) {
                this.sockets.add(socket);
                socket.on("error", () => undefined);
                socket.on("close", () => {
                    this.sockets.delete(socket);
                    other.destroy();
                });
            }
            near.on("data", (bytes) => this.pass(near, far, bytes, false));
            far.on("data", (bytes) => this.pass(far, near, bytes, true));
            return undefined;
        });
    }

    /** From now on; connections that are open are closed when it is to refuse. */
    set(fault: Fault | undefined): void {
        this.fault = fault;
        // What was swallowed cannot be made up for: a client would wait for it.
        for (const socket of this.sockets) socket.destroy();
    }

    close(): void {
        this.set("refuse");
        this.server.close();
    }

    private pass(from: net.Socket, to: net.Socket, bytes: Buffer, isReply: boolean): void {
        switch (this.fault) {
            case "drop":
                return;
            case "delay": {
                from.pause();
                setTimeout(() => {
                    to.write(bytes);
                    from.resume();
                }, this.random.below(LONGEST_DELAY_MS));
                return;
            }
            case "cut":
                if (!isReply || !this.random.chance(0.3)) break;
                to.write(bytes.subarray(0, this.random.below(bytes.length)), () => to.destroy());
                return;
            case "corrupt": {
                if (!isReply) break;
                const wrong = Buffer.from(bytes);
                const at = this.random.below(wrong.length);
                wrong[at] = (wrong[at] ?? 0) ^ (1 << this.random.below(8));
                to.write(wrong);
                return;
            }
            default:
        }
        to.write(bytes);
    }
}
