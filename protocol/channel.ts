import type { Readable, Writable } from "node:stream";
import {
    type CancellationToken,
    CancellationTokenSource,
    ConnectionError,
    createMessageConnection,
    ErrorCodes,
    type MessageConnection,
    NotificationType,
    NotificationType0,
    ParameterStructures,
    ProgressType,
    RequestType,
    ResponseError,
    StreamMessageReader,
} from "vscode-jsonrpc/node";
import type { ErrorData, Method, Params, Progress, Result, Welcome } from "./api.ts";
import { asZeroformError, ZeroformError } from "./errors.ts";
import { beat, Pulse } from "./heartbeat.ts";
import { WholeMessageWriter } from "./message-writer.ts";
import { pacedProgress } from "./paced-progress.ts";

const ERROR_NUMBER = -32_000;
const welcome = new NotificationType<Welcome>("welcome");
const progress = new ProgressType<Progress>();
/** A notification, so that an agent which does not know it passes it over. */
const alive = new NotificationType0("alive");
/** The token of a call's progress travels with its parameters. */
type Wire<M extends Method> = { readonly params: Params<M>; readonly progressToken?: string };
const requestType = <M extends Method>(method: M) => new RequestType<Wire<M>, Result<M>, ErrorData>(method, ParameterStructures.byPosition);

export interface CallOptions {
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** The caller's end of a channel to an agent. */
export interface ClientChannel {
    /** What the agent said first; rejects when the channel ends before. */
    readonly welcome: Promise<Welcome>;
    /** Rejects with a ZeroformError: the agent's own, or SSH_LOST when the channel ends before the answer. */
    request<M extends Method>(method: M, params: Params<M>, options?: CallOptions): Promise<Result<M>>;
    /** Resolves when the channel has ended, for whatever reason. */
    readonly closed: Promise<void>;
    close(): void;
}

export const openClientChannel = (readable: Readable, writable: Writable, beatMs?: number): ClientChannel => {
    const connection = connect(readable, writable);
    const { promise: closed, resolve: markClosed } = Promise.withResolvers<void>();
    connection.onClose(markClosed);
    const welcomed = new Promise<Welcome>((resolve, reject) => {
        connection.onNotification(welcome, resolve);
        void closed.then(() => reject(lost()));
    });
    // Nobody may be waiting for it when the channel ends.
    welcomed.catch(() => undefined);
    connection.listen();
    const rest = beat(() => void connection.sendNotification(alive).catch(() => undefined), beatMs);
    void closed.then(rest);
    let calls = 0;

    const request = async <M extends Method>(
        method: M,
        params: Params<M>,
        { signal, onProgress }: CallOptions = {},
    ): Promise<Result<M>> => {
        signal?.throwIfAborted();
        const cancellation = new CancellationTokenSource();
        const { promise: aborted, reject: giveUp } = Promise.withResolvers<never>();
        aborted.catch(() => undefined);
        // The other end is told, and not waited for: it may be the one that hangs.
        const abort = () => {
            cancellation.cancel();
            giveUp(signal?.reason);
        };
        signal?.addEventListener("abort", abort, { once: true });
        const progressToken = onProgress ? `p${++calls}` : undefined;
        const listening = progressToken && onProgress ? connection.onProgress(progress, progressToken, onProgress) : undefined;
        try {
            const wire: Wire<M> = progressToken ? { params, progressToken } : { params };
            const answer = connection.sendRequest(requestType(method), wire, cancellation.token);
            answer.catch(() => undefined);
            return await Promise.race([answer, aborted, closed.then(() => Promise.reject(lost()))]);
        } catch (thrown) {
            throw fromWire(thrown);
        } finally {
            signal?.removeEventListener("abort", abort);
            listening?.dispose();
            cancellation.dispose();
        }
    };
    const close = () => {
        connection.end();
        connection.dispose();
        markClosed();
    };
    return { welcome: welcomed, request, closed, close };
};

export interface ServerCall {
    readonly signal: AbortSignal;
    readonly progress: (doing: string, moved?: true) => void;
}

export type Handlers = { readonly [M in Method]: (params: Params<M>, call: ServerCall) => Promise<Result<M>> };

/** The agent's end of a channel. */
export interface ServerChannel {
    readonly closed: Promise<void>;
    close(): void;
}

/** It closes when the other end's beats stay away. */
export const openServerChannel = (
    readable: Readable,
    writable: Writable,
    greeting: Welcome,
    handlers: Handlers,
    beatMs?: number,
): ServerChannel => {
    const connection = connect(readable, writable);
    const { promise: closed, resolve: markClosed } = Promise.withResolvers<void>();
    const ending = new AbortController();
    const close = () => {
        connection.end();
        connection.dispose();
        end();
    };
    const pulse = new Pulse(close, beatMs);
    const end = () => {
        pulse.end();
        ending.abort();
        markClosed();
    };
    connection.onClose(end);
    connection.onNotification(alive, () => pulse.heard());

    const serve = <M extends Method>(method: M, handler: (params: Params<M>, call: ServerCall) => Promise<Result<M>>) =>
        connection.onRequest(method, async ({ params, progressToken }: Wire<M>, token: CancellationToken) => {
            const cancelled = new AbortController();
            const listening = token.onCancellationRequested(() => cancelled.abort());
            const words = pacedProgress((word) => {
                if (progressToken && !ending.signal.aborted)
                    void connection.sendProgress(progress, progressToken, word).catch(() => undefined);
            });
            try {
                return await handler(params, { signal: AbortSignal.any([cancelled.signal, ending.signal]), progress: words.say });
            } catch (thrown) {
                const { facts, message } = toWire(thrown);
                throw new ResponseError<ErrorData>(ERROR_NUMBER, message, facts);
            } finally {
                words.end();
                listening.dispose();
            }
        });
    for (const method of Object.keys(handlers) as Method[])
        serve(method, handlers[method] as (params: unknown, call: ServerCall) => Promise<Result<typeof method>>);
    connection.listen();
    void connection.sendNotification(welcome, greeting).catch(() => undefined);
    return { closed, close };
};

const connect = (readable: Readable, writable: Writable): MessageConnection => {
    const connection = createMessageConnection(new StreamMessageReader(readable), new WholeMessageWriter(writable));
    // A channel that breaks in the middle of a message ends through onClose; the stream's own error says nothing more.
    connection.onError(() => undefined);
    readable.on("error", () => undefined);
    writable.on("error", () => undefined);
    return connection;
};

const lost = () => new ZeroformError({ code: "SSH_LOST", message: "the connection to the agent was lost", retryable: true });

const toWire = (thrown: unknown): { readonly facts: ErrorData; readonly message: string } => {
    const error = asZeroformError(thrown);
    return { facts: error.facts(), message: error.message };
};

const fromWire = (thrown: unknown): ZeroformError => {
    if (thrown instanceof ResponseError && isErrorData(thrown.data)) return new ZeroformError(thrown.data);
    if (thrown instanceof ResponseError && thrown.code === ErrorCodes.MethodNotFound)
        return new ZeroformError({
            code: "PROTOCOL_MISMATCH",
            message: "the agent is older than this zeroform, and does not know how to answer",
            hint: "Run pulumi up, which upgrades the agent.",
        });
    // The channel was closed at this end while the call was waiting.
    const isDropped = thrown instanceof ResponseError && thrown.code === ErrorCodes.PendingResponseRejected;
    if (isDropped || thrown instanceof ConnectionError) return lost();
    return asZeroformError(thrown);
};

const isErrorData = (data: unknown): data is ErrorData => typeof data === "object" && data !== null && "code" in data && "message" in data;
