import { connect, type Socket } from "node:net";
import ssh2, { type AuthenticationType } from "ssh2";
import { Connection } from "./connection.ts";
import { dialFailure, loginRefused, type Stage, silent } from "./failures.ts";
import { hostKeyAlgorithms, judgeHostKey } from "./host-key.ts";
import { gatherKeys } from "./keys.ts";
import { type HostKey, hostKeyOf, knownKeys } from "./known-hosts.ts";
import type { Target } from "./target.ts";

/** How long each stage of a dial may take. */
export interface Patience {
    readonly connectMs: number;
    readonly handshakeMs: number;
    /** Long: an SSH agent may wait for its user to confirm or to touch a token. */
    readonly loginMs: number;
}

export const PATIENCE: Patience = { connectMs: 10_000, handshakeMs: 15_000, loginMs: 60_000 };
const KEEPALIVE_MS = 15_000;
const KEEPALIVES_MISSED_MAX = 4;

/** One attempt to connect and log in. Rejects with a ZeroformError that says whether another attempt may help, or with the signal's reason. */
export const dial = async (
    target: Target,
    privateKey: string | undefined,
    signal: AbortSignal,
    patience = PATIENCE,
): Promise<Connection> => {
    const keys = await gatherKeys(target, privateKey);
    signal.throwIfAborted();
    const trust = { pinned: target.hostKey, known: knownKeys(target.knownHostsFiles, target.knownAs) };
    const socket = await connectSocket(target, signal, patience.connectMs);
    const client = new ssh2.Client();
    const { promise, resolve, reject } = Promise.withResolvers<HostKey>();
    let stage: Stage = "handshake";
    let presented: HostKey = "";
    let accepts: readonly AuthenticationType[] = [];
    let next = 0;
    let isExhausted = false;

    const giveUp = () => reject(signal.reason);
    signal.addEventListener("abort", giveUp, { once: true });
    const waitAtMost = (timeMs: number, how: string) => setTimeout(() => reject(silent(target, how)), timeMs);
    let timer = waitAtMost(patience.handshakeMs, `accepted the connection and then said nothing for ${patience.handshakeMs / 1000} s`);

    client.on("handshake", () => {
        if (stage === "login") return;
        stage = "login";
        clearTimeout(timer);
        timer = waitAtMost(patience.loginMs, `did not finish the login within ${patience.loginMs / 1000} s`);
    });
    client.on("ready", () => resolve(presented));
    client.on("error", (error: Error & { level?: string }) => {
        // One key that cannot sign is not the end: ssh2 goes on with the next.
        if (!isExhausted && (error.level === "agent" || error.level === "client-authentication")) return;
        const refused = stage === "login" && (isExhausted || /too many authentication failures/i.test(error.message));
        reject(refused ? loginRefused(target, keys, next, accepts) : dialFailure(error, stage, target));
    });
    client.on("close", () => reject(dialFailure(new Error("closed"), stage, target)));
    client.connect({
        sock: socket,
        username: target.user,
        readyTimeout: 0,
        keepaliveInterval: KEEPALIVE_MS,
        keepaliveCountMax: KEEPALIVES_MISSED_MAX,
        algorithms: { serverHostKey: hostKeyAlgorithms(trust) },
        hostVerifier: (blob: Buffer) => {
            presented = hostKeyOf(blob);
            const refusal = judgeHostKey(presented, trust, target);
            if (refusal) reject(refusal);
            return refusal === undefined;
        },
        authHandler: (left, _partial, callback) => {
            accepts = left ?? [];
            const candidate = keys.candidates[next];
            // null on the first call: the server has not said yet what it accepts.
            const isHopeless = left !== null && !left.includes("publickey");
            if (!candidate || isHopeless) {
                isExhausted = true;
                // ssh2 takes false as "no more methods"; its types do not know.
                callback(false as unknown as AuthenticationType);
                return;
            }
            next += 1;
            callback({ ...candidate.method, username: target.user });
        },
    });
    try {
        const hostKey = await promise;
        return new Connection(client, target, hostKey);
    } catch (thrown) {
        client.on("error", () => undefined);
        client.destroy();
        socket.destroy();
        throw thrown;
    } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", giveUp);
    }
};

const connectSocket = async (target: Target, signal: AbortSignal, timeoutMs: number): Promise<Socket> => {
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
        return socket;
    } catch (thrown) {
        socket.destroy();
        throw thrown;
    } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", giveUp);
    }
};
