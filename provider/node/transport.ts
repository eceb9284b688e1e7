import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { dialFailure, silent } from "./failures.ts";
import type { Target } from "./target.ts";

/** A stream to a host that SSH is spoken on. */
export interface Transport {
    readonly stream: Duplex;
    /** Why it ended, where that is known better than the stream knows it. */
    readonly lastWords: () => string | undefined;
}

/** Connects directly. */
export const connectTcp = async (target: Target, signal: AbortSignal, timeoutMs: number): Promise<Transport> => {
    const socket = connect({ host: target.address, port: target.port, noDelay: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = () => reject(signal.reason);
    signal.addEventListener("abort", giveUp, { once: true });
    const timer = setTimeout(() => reject(silent(target, `did not answer within ${timeoutMs / 1000} s`)), timeoutMs);
    const failed = (error: Error) => reject(dialFailure(error, "connect", target));
    socket.once("connect", resolve);
    socket.on("error", failed);
    try {
        await promise;
        return { stream: socket, lastWords: () => undefined };
    } catch (thrown) {
        socket.destroy();
        throw thrown;
    } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", giveUp);
    }
};
