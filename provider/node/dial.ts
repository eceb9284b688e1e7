import ssh2, { type AuthenticationType } from "ssh2";
import type { ZeroformError } from "../../protocol/errors.ts";
import { Connection } from "./connection.ts";
import { dialFailure, loginRefused, type Stage, silent } from "./failures.ts";
import { hostKeyAlgorithms, judgeHostKey } from "./host-key.ts";
import { trustIn } from "./host-trust.ts";
import { gatherKeys } from "./keys.ts";
import { type HostKey, hostKeyOf } from "./known-hosts.ts";
import { proxyCommandFailed } from "./proxy-command.ts";
import type { Secrets } from "./route.ts";
import type { Target } from "./target.ts";
import { connectTcp, type Transport } from "./transport.ts";

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
    secrets: Secrets | undefined,
    signal: AbortSignal,
    patience = PATIENCE,
    open: () => Promise<Transport> = () => connectTcp(target, signal, patience.connectMs),
): Promise<Connection> => {
    const keys = await gatherKeys(target, secrets);
    signal.throwIfAborted();
    const trust = await trustIn(target, open, signal, patience.handshakeMs);
    const { stream, lastWords } = await open();
    const client = new ssh2.Client();
    const { promise, resolve, reject } = Promise.withResolvers<HostKey>();
    let stage: Stage = "handshake";
    let presented: HostKey = "";
    let accepts: readonly AuthenticationType[] = [];
    let next = 0;
    let isExhausted = false;

    const failure = (error: Error): ZeroformError => {
        const words = stage === "handshake" ? lastWords() : undefined;
        return words === undefined ? dialFailure(error, stage, target) : proxyCommandFailed(target, words, error);
    };
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
        reject(refused ? loginRefused(target, keys, next, accepts) : failure(error));
    });
    client.on("close", () => reject(failure(new Error("closed"))));
    client.connect({
        sock: stream,
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
            callback({ ...candidate.method(client), username: target.user });
        },
    });
    try {
        const hostKey = await promise;
        return new Connection(client, stream, target, hostKey);
    } catch (thrown) {
        client.on("error", () => undefined);
        client.destroy();
        stream.destroy();
        throw thrown;
    } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", giveUp);
    }
};
