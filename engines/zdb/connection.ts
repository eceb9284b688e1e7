import type { Socket } from "node:net";
import type { InputBudget } from "./input-budget.ts";
import { INPUT_GRACE_MS, MIN_INPUT_BYTES_PER_SECOND, OUTPUT_HIGH_WATER_BYTES } from "./limits.ts";
import { Refusal } from "./refusal.ts";
import { ReplyBuffer } from "./reply-buffer.ts";
import { RequestParser } from "./request-parser.ts";
import type { Session } from "./session.ts";
import type { Turn } from "./turn.ts";

const LINGER_MS = 1000;

/** The rest of an answer that is made piece by piece, as the client takes it. */
export type AnswerStream = Iterator<void, void>;

/** What a connection needs of its server. */
export interface ConnectionHost {
    readonly turn: Turn;
    readonly inputBudget: InputBudget;
    /** Carries out one request and adds its answer; a Refusal becomes an error reply. */
    execute(connection: Connection, request: Buffer[]): undefined | Promise<void> | AnswerStream;
    received(bytes: number): void;
    sent(bytes: number): void;
    /** An answer waits for a log: `flush` must be called when one advances. */
    waits(connection: Connection): void;
    left(connection: Connection): void;
}

/** One client: bytes in, requests executed in order, answers out, never more of either in memory than the limits say. */
export class Connection {
    readonly session: Session;
    readonly replies = new ReplyBuffer();

    private readonly socket: Socket;
    private readonly host: ConnectionHost;
    private readonly parser = new RequestParser();
    private stream: AnswerStream | undefined;
    private isBusy = false;
    /** No further request is executed. */
    private isClosing = false;
    /** The client sends nothing more. */
    private hasEnded = false;
    /** Every complete request was executed. */
    private isIdle = true;
    private lingering: NodeJS.Timeout | undefined;
    private isDestroyed = false;
    private isPaused = false;
    private claimed = 0;
    private takeClaimBack: (() => void) | undefined;
    private cancelDeadline: (() => void) | undefined;

    constructor(socket: Socket, host: ConnectionHost, session: Session) {
        this.socket = socket;
        this.host = host;
        this.session = session;
        socket.on("data", (chunk: Buffer) => {
            host.received(chunk.length);
            if (this.isClosing) return;
            this.parser.push(chunk);
            this.run();
        });
        socket.on("drain", () => this.run());
        socket.on("end", () => {
            this.hasEnded = true;
            this.run();
            host.turn.answered(this);
        });
        socket.on("error", () => this.destroy());
        socket.on("close", () => this.destroy());
    }

    /** Sends what may be sent, then goes on with requests that waited for room. */
    flush(): void {
        if (this.isDestroyed) return;
        const ready = this.replies.take();
        if (ready.length > 0) {
            this.host.sent(ready.length);
            this.socket.write(ready);
            if (this.socket.writableLength === 0) this.replies.reuse();
        }
        if (this.replies.isHeld) this.host.waits(this);
        this.run();
        if (this.isFinished) this.end();
    }

    /** All that will ever be answered is on its way. */
    private get isFinished(): boolean {
        if (this.replies.size > 0 || this.isBusy || this.stream) return false;
        return this.isClosing || (this.hasEnded && this.isIdle);
    }

    /** What the client still sends is read and dropped for a moment: closing over unread bytes would cost it the last answers. */
    private end(): void {
        if (this.lingering) return;
        this.lingering = setTimeout(() => this.destroy(), LINGER_MS);
        this.isClosing = true;
        this.socket.end();
        this.socket.resume();
    }

    /** The server stops: what was not executed yet never will be. */
    stopReading(): void {
        this.isClosing = true;
        this.socket.pause();
    }

    /** Ends once the kernel has the answers; the process goes anyway. */
    endNow(): void {
        if (!this.isDestroyed) this.socket.destroySoon();
    }

    destroy(): void {
        if (this.isDestroyed) return;
        this.isDestroyed = true;
        clearTimeout(this.lingering);
        this.releaseClaim();
        this.socket.destroy();
        this.host.left(this);
    }

    private run(): void {
        while (!this.isClosing && !this.isDestroyed && !this.isBusy) {
            if (this.backlog > OUTPUT_HIGH_WATER_BYTES) break;
            if (this.stream) {
                this.step(this.stream);
                continue;
            }
            const request = this.nextRequest();
            this.isIdle = request === undefined;
            if (!request) break;
            this.releaseClaim();
            this.execute(request);
        }
        if (!this.isDestroyed && !this.lingering) this.readOrWait();
    }

    /** Answers not taken by the client yet. */
    private get backlog(): number {
        return this.replies.size + this.socket.writableLength;
    }

    private nextRequest(): Buffer[] | undefined {
        try {
            return this.parser.next();
        } catch (error) {
            this.refuse(error);
            return undefined;
        }
    }

    private execute(request: Buffer[]): void {
        this.host.turn.answered(this);
        const before = this.replies.size;
        try {
            const rest = this.host.execute(this, request);
            if (rest instanceof Promise) this.await(rest);
            else this.stream = rest;
        } catch (error) {
            this.replies.rewind(before);
            this.refuse(error);
        }
    }

    private step(stream: AnswerStream): void {
        if (stream.next().done) this.stream = undefined;
        this.host.turn.answered(this);
    }

    /** Nothing else is executed for this client meanwhile; others are. */
    private await(work: Promise<void>): void {
        this.isBusy = true;
        work.catch((error: unknown) => this.refuse(error)).finally(() => {
            this.isBusy = false;
            if (this.isDestroyed) return;
            this.host.turn.answered(this);
        });
    }

    private refuse(error: unknown): void {
        if (!(error instanceof Refusal)) throw error;
        this.replies.error(error.message);
        if (error.closes) this.isClosing = true;
        this.host.turn.answered(this);
    }

    /** Reads on unless the client must take answers first, or a large request must wait for its memory. */
    private readOrWait(): void {
        const isHeldUp = this.isClosing || this.isBusy || this.stream !== undefined || this.backlog > OUTPUT_HIGH_WATER_BYTES;
        if (!isHeldUp && !this.hasEnded) this.claimInput();
        const mustPause = isHeldUp || this.takeClaimBack !== undefined;
        if (mustPause === this.isPaused) return;
        this.isPaused = mustPause;
        if (mustPause) this.socket.pause();
        else this.socket.resume();
    }

    private claimInput(): void {
        const bytes = this.parser.claimedBytes;
        if (bytes === 0 || this.claimed > 0 || this.takeClaimBack) return;
        let isGranted = false;
        const takeBack = this.host.inputBudget.claim(bytes, () => {
            isGranted = true;
            this.takeClaimBack = undefined;
            this.claimed = bytes;
            this.startDeadline(bytes);
            if (this.isPaused) this.readOrWait();
        });
        if (!isGranted) this.takeClaimBack = takeBack;
    }

    /** Memory set aside for a client that stopped sending would be missing for the others. */
    private startDeadline(bytes: number): void {
        const ms = INPUT_GRACE_MS + (bytes / MIN_INPUT_BYTES_PER_SECOND) * 1000;
        const timer = setTimeout(() => this.destroy(), ms);
        this.cancelDeadline = () => clearTimeout(timer);
    }

    private releaseClaim(): void {
        this.takeClaimBack?.();
        this.takeClaimBack = undefined;
        this.cancelDeadline?.();
        this.cancelDeadline = undefined;
        if (this.claimed > 0) this.host.inputBudget.release(this.claimed);
        this.claimed = 0;
    }
}
