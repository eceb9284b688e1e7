import type { Duplex, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Client, ClientCallback, ClientChannel, PseudoTtyOptions } from "ssh2";
import { ZeroformError } from "../../protocol/errors.ts";
import { connectionLost, notForwarded, silent } from "./failures.ts";
import type { HostKey } from "./known-hosts.ts";
import { describeTarget, type Target } from "./target.ts";

export interface RunOptions {
    readonly signal: AbortSignal;
    /** The longest that it may say nothing. */
    readonly timeoutMs: number;
    /** What the command does, for an error: "uploading the runtime". */
    readonly doing: string;
    readonly input?: Readable;
    readonly onStdoutLine?: (line: string) => void;
    readonly onStderrLine?: (line: string) => void;
}

/** A terminal at this end, for a command that wants one at its end. */
export interface Terminal {
    /** `xterm-256color` ... */
    readonly type: string;
    readonly rows: number;
    readonly columns: number;
}

/** How a command ended by what SSH says of it: neither of the two when it does not, or not any more. */
export interface Exit {
    readonly code: number | undefined;
    /** `SIGTERM` ... */
    readonly signal: string | undefined;
}

/** A command that runs. */
export interface Started {
    readonly channel: ClientChannel;
    /** Resolves when the command has ended, or its channel has. What it printed may still be on the way. */
    readonly exit: Promise<Exit>;
}

/** How a command ended. Only the end of what it said is kept. */
export interface Ended {
    readonly code: number | undefined;
    readonly stdout: string;
    readonly stderr: string;
}

const OPEN_MS = 20_000;
const KEPT_CHARACTERS = 64 * 1024;
/** A command that ended while a child of its keeps the pipes open is over all the same. */
const DRAIN_MS = 2_000;
const GOODBYE_MS = 1_000;

/** An SSH connection that is logged in. */
export class Connection {
    readonly target: Target;
    readonly hostKey: HostKey;
    /** Resolves when the connection is gone, for whatever reason. */
    readonly closed: Promise<void>;
    /** Host keys of the jump hosts that it goes through, as lines of known_hosts. */
    hopKeys: readonly string[] = [];
    readonly #client: Client;
    /** Destroyed itself where that is due: ssh2 spares one that it has ended, and an end that nobody confirms takes many minutes. */
    readonly #stream: Duplex;
    #isClosed = false;

    constructor(client: Client, stream: Duplex, target: Target, hostKey: HostKey) {
        this.#client = client;
        this.#stream = stream;
        this.target = target;
        this.hostKey = hostKey;
        const { promise, resolve } = Promise.withResolvers<void>();
        this.closed = promise;
        const gone = () => {
            this.#isClosed = true;
            resolve();
        };
        // Whatever the error is, ssh2 does not go on after it; those of single channels go to the channels.
        client.on("error", () => stream.destroy());
        client.on("close", gone);
        client.on("end", gone);
    }

    get isClosed(): boolean {
        return this.#isClosed;
    }

    /** Starts a command: two round trips. */
    open(command: string, signal: AbortSignal, terminal?: Terminal): Promise<Started> {
        const options = terminal === undefined ? {} : { pty: windowOf(terminal) };
        return this.#start(signal, (begun) => this.#client.exec(command, options, begun));
    }

    /** Starts the user's login shell. */
    openShell(signal: AbortSignal, terminal?: Terminal): Promise<Started> {
        return this.#start(signal, (begun) => this.#client.shell(terminal === undefined ? false : windowOf(terminal), begun));
    }

    async #start(signal: AbortSignal, begin: (begun: ClientCallback) => void): Promise<Started> {
        const late = new ZeroformError({
            code: "SSH_TIMEOUT",
            node: this.target.alias,
            message: `SSH on ${describeTarget(this.target)} did not start a command within ${OPEN_MS / 1000} s`,
            retryable: true,
        });
        const { promise: exit, resolve } = Promise.withResolvers<Exit>();
        const listening: (begun: ClientCallback) => ClientCallback = (begun) => (error, channel) => {
            // Now, not a turn later: the end of a quick command may have come with the news that it began.
            channel?.on("exit", (code: number | null, signalName?: string) => resolve({ code: code ?? undefined, signal: signalName }));
            channel?.on("close", () => resolve({ code: undefined, signal: undefined }));
            begun(error, channel);
        };
        const channel = await this.#channel(
            (begun) => begin(listening(begun)),
            (error) => this.#noChannel(error),
            {
                signal,
                timeoutMs: OPEN_MS,
                late,
            },
        );
        channel.stderr.on("error", () => undefined);
        return { channel, exit };
    }

    /** Opens a connection from this host to the next one on a way. */
    async forward(next: Target, signal: AbortSignal, timeoutMs: number): Promise<Duplex> {
        const { address, port } = next;
        return this.#channel(
            (opened) => this.#client.forwardOut("127.0.0.1", 0, address, port, opened),
            (error) => notForwarded(error, this.target, next),
            { signal, timeoutMs, late: silent(next, `did not answer within ${timeoutMs / 1000} s`) },
        );
    }

    /** Cuts the connection when the other end answers nothing any more. */
    async dropUnlessAlive(timeoutMs: number): Promise<void> {
        if (this.#isClosed) return;
        const { promise: answered, resolve } = Promise.withResolvers<void>();
        const timer = setTimeout(() => {
            this.#stream.destroy();
            resolve();
        }, timeoutMs);
        try {
            // The refusal to end what was never begun is an answer too.
            this.#client.unforwardIn("127.0.0.1", 1, () => resolve());
        } catch {
            this.#stream.destroy();
        }
        await Promise.race([answered, this.closed]);
        clearTimeout(timer);
    }

    async #channel(
        open: (opened: ClientCallback) => void,
        refused: (error: Error) => ZeroformError,
        { signal, timeoutMs, late }: { readonly signal: AbortSignal; readonly timeoutMs: number; readonly late: ZeroformError },
    ): Promise<ClientChannel> {
        signal.throwIfAborted();
        if (this.#isClosed) throw connectionLost(this.target);
        const { promise, resolve, reject } = Promise.withResolvers<ClientChannel>();
        const giveUp = () => reject(signal.reason);
        signal.addEventListener("abort", giveUp, { once: true });
        const timer = setTimeout(() => reject(late), timeoutMs);
        void this.closed.then(() => reject(connectionLost(this.target)));
        let abandoned = false;
        promise.catch(() => {
            abandoned = true;
        });
        try {
            open((error, channel) => {
                if (error) return reject(this.#isClosed ? connectionLost(this.target, error) : refused(error));
                channel.on("error", () => undefined);
                if (abandoned) {
                    channel.resume();
                    channel.stderr?.resume();
                    channel.close();
                }
                resolve(channel);
            });
            return await promise;
        } catch (thrown) {
            throw thrown instanceof ZeroformError || signal.aborted ? thrown : connectionLost(this.target, thrown);
        } finally {
            clearTimeout(timer);
            signal.removeEventListener("abort", giveUp);
        }
    }

    /** Runs a command to its end. The exit status is the caller's to judge. */
    async run(command: string, options: RunOptions): Promise<Ended> {
        const { signal, timeoutMs, doing, input } = options;
        const { channel, exit } = await this.open(command, signal);
        const stdout = new Lines(options.onStdoutLine);
        const stderr = new Lines(options.onStderrLine);
        const listen = (lines: Lines) => (chunk: Buffer) => {
            timer.refresh();
            lines.add(chunk);
        };
        channel.on("data", listen(stdout));
        channel.stderr.on("data", listen(stderr));
        const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
        const late = () =>
            reject(
                new ZeroformError({
                    code: "TIMEOUT",
                    node: this.target.alias,
                    message: `${doing} on ${this.target.alias} has not gone on for ${timeoutMs / 1000} s`,
                    retryable: true,
                }),
            );
        const giveUp = () => reject(signal.reason);
        const timer = setTimeout(late, timeoutMs);
        let draining: NodeJS.Timeout | undefined;
        signal.addEventListener("abort", giveUp, { once: true });
        void exit.then(({ code }) => {
            draining = setTimeout(() => resolve(code), DRAIN_MS).unref();
        });
        channel.on("close", () => {
            void exit.then(({ code }) => (this.#isClosed && code === undefined ? reject(connectionLost(this.target)) : resolve(code)));
        });
        void this.closed.then(() => reject(connectionLost(this.target)));
        try {
            // A command that ends early closes its input; its exit status says why.
            if (input) pipeline(input, channel).catch(() => undefined);
            else channel.end();
            const status = await promise;
            return { code: status, stdout: stdout.end(), stderr: stderr.end() };
        } finally {
            clearTimeout(timer);
            clearTimeout(draining);
            signal.removeEventListener("abort", giveUp);
            input?.destroy();
            channel.close();
        }
    }

    /** Says goodbye and closes; the socket is cut when the other end does not answer. */
    async end(): Promise<void> {
        if (this.#isClosed) return;
        this.#client.end();
        const timer = setTimeout(() => this.#stream.destroy(), GOODBYE_MS);
        await this.closed;
        clearTimeout(timer);
    }

    #noChannel(cause: Error): ZeroformError {
        return new ZeroformError(
            {
                code: "SSH_REFUSED",
                node: this.target.alias,
                message: `SSH on ${describeTarget(this.target)} refused to run a command`,
                hint: "Its sshd_config may forbid sessions or limit them (MaxSessions).",
                retryable: true,
            },
            cause,
        );
    }
}

const windowOf = ({ type, rows, columns }: Terminal): PseudoTtyOptions => ({ term: type, rows, cols: columns });

/** Text of a stream, bounded, handed on line by line. */
class Lines {
    readonly #onLine: ((line: string) => void) | undefined;
    readonly #decoder = new TextDecoder();
    #kept = "";
    #pending = "";

    constructor(onLine: ((line: string) => void) | undefined) {
        this.#onLine = onLine;
    }

    add(chunk: Buffer): void {
        const text = this.#decoder.decode(chunk, { stream: true });
        this.#kept = (this.#kept + text).slice(-KEPT_CHARACTERS);
        if (!this.#onLine) return;
        const lines = (this.#pending + text).slice(-KEPT_CHARACTERS).split(/\r?\n/);
        this.#pending = lines.pop() ?? "";
        for (const line of lines) this.#onLine(line);
    }

    end(): string {
        if (this.#pending !== "") this.#onLine?.(this.#pending);
        this.#pending = "";
        return this.#kept;
    }
}
