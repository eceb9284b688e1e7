import type { ClientSocket } from "./client-socket.ts";
import type { InputBudget } from "./input-budget.ts";
import { InputClaim } from "./input-claim.ts";
import { FREE_REQUEST_BYTES, MIN_OUTPUT_BYTES_PER_SECOND, OUTPUT_GRACE_MS, OUTPUT_HIGH_WATER_BYTES, SMALL_ANSWER_BYTES } from "./limits.ts";
import type { AnswerHolder, OutputBudget } from "./output-budget.ts";
import { Refusal } from "./refusal.ts";
import { NoRoom, ReplyBuffer } from "./reply-buffer.ts";
import { RequestParser } from "./request-parser.ts";
import type { Session } from "./session.ts";
import type { Timers } from "./syncer.ts";
import type { Turn } from "./turn.ts";

const LINGER_MS = 1000;

/** The rest of an answer that is made piece by piece, as the client takes it; a promise is waited for before the next piece. */
export type AnswerStream = Generator<Promise<void> | undefined, void>;

/** What a connection needs of its server. */
export interface ConnectionHost {
    readonly turn: Turn;
    readonly timers: Timers;
    readonly inputBudget: InputBudget;
    readonly outputBudget: OutputBudget;
    /** Carries out one request and adds its answer; a Refusal becomes an error reply. */
    execute(connection: Connection, request: Buffer[]): undefined | Promise<void> | AnswerStream;
    received(bytes: number): void;
    sent(bytes: number): void;
    /** An answer waits for a log: `flush` must be called when one advances. */
    waits(connection: Connection): void;
    left(connection: Connection): void;
}

/** One client: bytes in, requests executed in order, answers out, never more of either in memory than the limits say. */
export class Connection implements AnswerHolder {
    readonly session: Session;
    readonly replies = new ReplyBuffer();

    private readonly socket: ClientSocket;
    private readonly host: ConnectionHost;
    private readonly parser = new RequestParser();
    private stream: AnswerStream | undefined;
    /** A request whose answer is too large for the room there is. */
    private deferred: Buffer[] | undefined;
    /** Answers that wait for the end of a piecewise one. */
    private asides: ((replies: ReplyBuffer) => void)[] = [];
    private isBusy = false;
    /** No further request is executed. */
    private isClosing = false;
    /** The client sends nothing more. */
    private hasEnded = false;
    /** Every complete request was executed. */
    private isIdle = true;
    /** Set while what the client still sends is dropped. */
    private cancelLinger: (() => void) | undefined;
    private isDestroyed = false;
    private isPaused = false;
    /** What arrived is carried out at the end of this turn. */
    private isPlanned = false;
    /** The memory for answers is spent. */
    private awaitsRoom = false;
    /** When the client last took an answer, or got the first one to take. */
    private lastTakenMs = 0;
    private readonly taken = (): void => this.clientTook();
    /** Bytes that count in the budget for answers. */
    private held = 0;
    private readonly claim: InputClaim;

    constructor(socket: ClientSocket, host: ConnectionHost, session: Session) {
        this.socket = socket;
        this.host = host;
        this.session = session;
        this.claim = new InputClaim(host.inputBudget, host.timers, () => this.destroy());
        socket.on("data", (chunk: Buffer) => {
            host.received(chunk.length);
            if (this.isClosing) return;
            this.parser.push(chunk);
            this.isIdle = false;
            // What is small is carried out with what others sent, see `Turn`; what is large may not be let lie.
            if (chunk.length > FREE_REQUEST_BYTES) this.run();
            else if (!this.isPlanned) {
                this.isPlanned = true;
                host.turn.arrived(this);
            }
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
        for (const part of this.replies.takeSealed()) this.send(part);
        const ready = this.replies.take();
        if (ready.length > 0) {
            this.send(ready);
            if (this.socket.writableLength === 0) {
                this.replies.reuse();
                if (this.mayHaveSmall) this.stopWaiting();
            }
        }
        if (this.replies.isHeld) this.host.waits(this);
        if (!this.isAtRest) this.run();
        if (this.isFinished) this.end();
    }

    private send(bytes: Buffer): void {
        const { socket, host } = this;
        host.sent(bytes.length);
        const hadTakenAll = socket.writableLength === 0;
        socket.write(bytes, this.taken);
        if (hadTakenAll && socket.writableLength > 0) this.lastTakenMs = host.timers.nowMs();
    }

    /** Nothing is left of what arrived, and nothing of what was answered. */
    private get isAtRest(): boolean {
        return this.isIdle && !this.isPaused && this.held === 0 && this.backlog === 0 && !this.hasEnded;
    }

    /** All that will ever be answered is on its way. */
    private get isFinished(): boolean {
        if (this.replies.size > 0 || this.isBusy || this.stream) return false;
        return this.isClosing || (this.hasEnded && this.isIdle);
    }

    /** What the client still sends is read and dropped for a moment: closing over unread bytes would cost it the last answers. */
    private end(): void {
        if (this.cancelLinger) return;
        this.linger();
        this.isClosing = true;
        this.socket.end();
        this.socket.resume();
    }

    /** Who is slow still gets all of them, who takes nothing does not keep the connection. */
    private linger(): void {
        const { socket, host } = this;
        this.cancelLinger = host.timers.after(LINGER_MS, () => {
            if (socket.writableLength > 0 && !this.isStuck(host.timers.nowMs())) this.linger();
            else this.destroy();
        });
    }

    /** Adds an answer to a request of some time ago, between two others. */
    addAside(add: (replies: ReplyBuffer) => void): void {
        if (this.isDestroyed) return;
        this.asides.push(add);
        if (!this.stream) this.addAsides();
    }

    private addAsides(): void {
        for (const add of this.asides.splice(0)) add(this.replies);
        this.host.turn.answered(this);
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
        const { stream } = this;
        // It may be running now; what it holds is given back when it is ended.
        if (stream) queueMicrotask(() => stream.return());
        this.cancelLinger?.();
        this.claim.release();
        this.socket.destroy();
        this.host.outputBudget.leave(this);
        this.host.left(this);
    }

    goOn(): void {
        this.awaitsRoom = false;
        this.run();
    }

    /** Answers that wait for the disk are not the client's fault. */
    isStuck(nowMs: number): boolean {
        const bytes = this.socket.writableLength;
        return bytes > 0 && nowMs - this.lastTakenMs > OUTPUT_GRACE_MS + (bytes / MIN_OUTPUT_BYTES_PER_SECOND) * 1000;
    }

    private clientTook(): void {
        if (this.isDestroyed) return;
        this.lastTakenMs = this.host.timers.nowMs();
        this.countBacklog();
        if (!this.mayHaveSmall) return;
        this.stopWaiting();
        this.run();
    }

    /** It waits for room, but has taken all there was: a small answer it may have. */
    private get mayHaveSmall(): boolean {
        return this.awaitsRoom && !this.deferred && !this.stream && this.backlog === 0;
    }

    private stopWaiting(): void {
        this.awaitsRoom = false;
        this.host.outputBudget.stopWaiting(this);
    }

    /** Carries out what arrived, as far as there is room for the answers. */
    run(): void {
        this.isPlanned = false;
        while (!this.isClosing && !this.isDestroyed && !this.isBusy) {
            if (this.backlog > OUTPUT_HIGH_WATER_BYTES || this.mustAwaitRoom()) break;
            if (this.stream) {
                this.step(this.stream);
                continue;
            }
            const request = this.deferred ?? this.nextRequest();
            this.deferred = undefined;
            this.isIdle = request === undefined;
            if (!request) break;
            this.claim.release();
            this.execute(request);
        }
        if (this.isDestroyed) return;
        this.countBacklog();
        if (this.cancelLinger) return;
        this.readOrWait();
        // Nothing else may be left to bring the end about.
        if (this.isFinished) this.host.turn.answered(this);
    }

    /** A small answer that goes out at the end of this turn does not count: no more than that is anybody's who has taken all so far. */
    private countBacklog(): void {
        const { backlog } = this;
        const bytes = this.socket.writableLength === 0 && backlog <= SMALL_ANSWER_BYTES ? 0 : backlog;
        if (bytes === this.held) return;
        this.held = bytes;
        this.host.outputBudget.hold(this, bytes);
    }

    /** Who has taken everything so far may ask for small answers, so that clients who take none do not keep it from being served. */
    private mustAwaitRoom(): boolean {
        if (this.awaitsRoom) return true;
        if (!this.lacksRoom || (this.backlog === 0 && !this.stream)) return false;
        this.awaitRoom();
        return true;
    }

    /** The administrator gets through, so that whoever supervises the server does not take it for dead. */
    private get lacksRoom(): boolean {
        return this.host.outputBudget.isSpent && this.session.entrance.kind !== "admin";
    }

    private awaitRoom(): void {
        this.awaitsRoom = true;
        this.host.outputBudget.wait(this);
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
        this.replies.allowance = this.lacksRoom ? SMALL_ANSWER_BYTES : Number.POSITIVE_INFINITY;
        try {
            const rest = this.host.execute(this, request);
            if (rest instanceof Promise) this.await(rest);
            else this.stream = rest;
        } catch (error) {
            this.replies.rewind(before);
            if (error instanceof NoRoom) this.deferred = request;
            else this.refuse(error);
        } finally {
            this.replies.allowance = Number.POSITIVE_INFINITY;
        }
        if (this.deferred) this.awaitRoom();
    }

    private step(stream: AnswerStream): void {
        try {
            const { done, value } = stream.next();
            if (done) this.endStream();
            else if (value) this.await(value);
        } catch (error) {
            this.endStream();
            this.refuse(error);
        }
        this.host.turn.answered(this);
    }

    private endStream(): void {
        this.stream = undefined;
        if (this.asides.length > 0) this.addAsides();
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
        const from = this.replies.size;
        this.replies.error(error.message);
        const gate = error.lsn === undefined ? undefined : this.session.namespace.log.gate(error.lsn);
        if (gate) this.replies.hold(from, gate);
        if (error.closes) this.isClosing = true;
        this.host.turn.answered(this);
    }

    /** Reads on unless the client must take answers first, or a large request must wait for its memory. */
    private readOrWait(): void {
        const isWaiting = this.isBusy || this.awaitsRoom || this.stream !== undefined;
        const isHeldUp = this.isClosing || isWaiting || this.backlog > OUTPUT_HIGH_WATER_BYTES;
        if (!isHeldUp && !this.hasEnded && !this.parser.isEmpty) {
            this.claim.ask(this.parser.claimedBytes, () => {
                if (this.isPaused) this.readOrWait();
            });
        }
        const mustPause = isHeldUp || this.claim.isWaiting;
        if (mustPause === this.isPaused) return;
        this.isPaused = mustPause;
        if (mustPause) this.socket.pause();
        else this.socket.resume();
    }
}
