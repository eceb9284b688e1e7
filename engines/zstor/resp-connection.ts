import * as net from "node:net";
import * as tls from "node:tls";
import { BackendError } from "./backend.ts";
import type { BackendAddress } from "./backend-url.ts";
import { CONNECT_MS, OPERATION_MS } from "./limits.ts";
import { RefusalReply, type Reply, RespReader } from "./resp-reader.ts";
import type { Clock } from "./surroundings.ts";

interface Pending {
    readonly resolve: (reply: Reply) => void;
    readonly reject: (error: Error) => void;
}

/** One connection to a namespace: requests are sent as they come, replies come in order. Of no use any more once it has failed. */
export class RespConnection {
    private readonly socket: net.Socket;
    private readonly clock: Clock;
    private readonly pending: Pending[] = [];
    private failure: BackendError | undefined;
    private cancelSilence: (() => void) | undefined;
    /** What is to be sent, in order, and small words behind it that are not yet among it. */
    private readonly outgoing: (string | Uint8Array)[] = [];
    private text = "";
    private isWriting = false;
    private readonly onEnd: () => void;

    /** `onEnd` is called once, when it has failed or was closed. */
    static async open(address: BackendAddress, clock: Clock, onEnd: () => void): Promise<RespConnection> {
        const connection = new RespConnection(await connected(address, clock), clock, onEnd);
        const { namespace, password } = address;
        const words = ["SELECT", namespace, ...(password === undefined ? [] : [password])];
        const reply = await connection.ask(words.map((word) => Buffer.from(word)));
        if (!(reply instanceof RefusalReply)) return connection;
        connection.close();
        throw new BackendError("denied", `namespace ${namespace}: ${reply.text}`);
    }

    private constructor(socket: net.Socket, clock: Clock, onEnd: () => void) {
        this.socket = socket;
        this.clock = clock;
        this.onEnd = onEnd;
        const reader = new RespReader((reply) => this.pending.shift()?.resolve(reply));
        socket.on("data", (bytes) => {
            try {
                reader.push(bytes as Buffer);
            } catch (error) {
                return this.fail(new BackendError("refused", (error as Error).message));
            }
            this.watch();
        });
        socket.on("error", (error) => this.fail(new BackendError("unreachable", error.message)));
        socket.on("close", () => this.fail(new BackendError("unreachable", "the connection was closed")));
    }

    ask(words: readonly Uint8Array[]): Promise<Reply> {
        if (this.failure) return Promise.reject(this.failure);
        return new Promise((resolve, reject) => {
            this.pending.push({ resolve, reject });
            if (this.pending.length === 1) this.watch();
            this.send(words);
        });
    }

    get load(): number {
        return this.pending.length;
    }

    close(): void {
        this.fail(new BackendError("unreachable", "the connection was closed here"));
    }

    /** What is asked in one turn leaves together. */
    private send(words: readonly Uint8Array[]): void {
        this.text += `*${words.length}\r\n`;
        for (const word of words) {
            this.text += `$${word.length}\r\n`;
            if (word.length > SMALL_BYTES) {
                this.outgoing.push(this.text, word);
                this.text = "\r\n";
            } else this.text += `${Buffer.from(word.buffer, word.byteOffset, word.length).toString("latin1")}\r\n`;
        }
        if (this.isWriting) return;
        this.isWriting = true;
        queueMicrotask(() => this.writeNext());
    }

    /** One piece after the other: what a socket is given while it writes, it would join in a new buffer, large values too. */
    private writeNext(): void {
        if (this.outgoing.length === 0 && this.text !== "") {
            this.outgoing.push(this.text);
            this.text = "";
        }
        const piece = this.outgoing.shift();
        this.isWriting = piece !== undefined && this.failure === undefined;
        if (piece === undefined || this.failure) return;
        this.socket.write(typeof piece === "string" ? Buffer.from(piece, "latin1") : piece, () => this.writeNext());
    }

    /** A connection on which nothing comes though something is owed is given up. */
    private watch(): void {
        this.cancelSilence?.();
        this.cancelSilence = undefined;
        if (this.pending.length === 0 || this.failure) return;
        this.cancelSilence = this.clock.after(OPERATION_MS, () =>
            this.fail(new BackendError("late", `silent for ${OPERATION_MS / 1000} s`)),
        );
    }

    private fail(error: BackendError): void {
        if (this.failure) return;
        this.failure = error;
        this.cancelSilence?.();
        this.socket.destroy();
        this.outgoing.length = 0;
        for (const { reject } of this.pending.splice(0)) reject(error);
        this.onEnd();
    }
}

/** To copy so much costs less than a write of its own does, here and on the other side. */
const SMALL_BYTES = 16 * 1024;

function connected({ host, port, tls: encrypted }: BackendAddress, clock: Clock): Promise<net.Socket> {
    return new Promise((resolve, reject) => {
        const socket = encrypted ? tls.connect({ host, port }) : net.connect({ host, port, noDelay: true });
        const event = encrypted ? "secureConnect" : "connect";
        const end = (error?: BackendError) => {
            cancel();
            socket.off(event, onConnect);
            socket.off("error", onError);
            if (error === undefined) return resolve(socket);
            // A socket that is destroyed while it connects may still say why.
            socket.on("error", () => undefined);
            socket.destroy();
            reject(error);
        };
        const onConnect = () => end();
        const onError = (error: Error) => end(new BackendError("unreachable", error.message));
        const cancel = clock.after(CONNECT_MS, () => end(new BackendError("unreachable", `no connection within ${CONNECT_MS / 1000} s`)));
        socket.once(event, onConnect);
        socket.once("error", onError);
    });
}
