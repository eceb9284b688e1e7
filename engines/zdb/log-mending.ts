import { errorCode } from "./disk.ts";
import { UnreadableTail } from "./segment-renewal.ts";
import type { Timers } from "./syncer.ts";

const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 60_000;

export interface MendingParts {
    readonly timers: Timers;
    /** One try; throws when it does not succeed. */
    mend(): Promise<void>;
    /** Nothing is written from now on. */
    broke(reason: string): void;
    mended(): void;
}

/** What is done about a disk that failed a log: tries to bring it back to service after 1, 2, 4 ... 60 seconds, until that succeeds. */
export class LogMending {
    private readonly parts: MendingParts;
    /** What failed; undefined: nothing, or it is overcome. */
    private problem: string | undefined;
    private lastTry = "";
    private retryMs = FIRST_RETRY_MS;
    private cancelRetry: (() => void) | undefined;
    private attempt: Promise<void> | undefined;
    private isStopped = false;

    constructor(parts: MendingParts) {
        this.parts = parts;
    }

    /** Why nothing is written meanwhile. */
    get reason(): string | undefined {
        return this.problem && `${this.problem}, retrying${this.lastTry}`;
    }

    /** The disk failed. */
    begin(problem: string): void {
        if (this.problem !== undefined) return;
        this.problem = problem;
        this.lastTry = "";
        this.retryMs = FIRST_RETRY_MS;
        this.parts.broke(`${problem}, retrying`);
        this.plan();
    }

    /** Tries now when there is something to mend, or joins the try under way. Never rejects. */
    now(): Promise<void> {
        this.cancelRetry?.();
        if (this.problem === undefined) return Promise.resolve();
        this.attempt ??= this.tryOnce().finally(() => {
            this.attempt = undefined;
        });
        return this.attempt;
    }

    /** Tries no more; resolves when a try under way has ended. */
    async stop(): Promise<void> {
        this.isStopped = true;
        this.cancelRetry?.();
        await this.attempt;
    }

    private plan(): void {
        if (this.isStopped) return;
        this.cancelRetry = this.parts.timers.after(this.retryMs, () => void this.now());
        this.retryMs = Math.min(this.retryMs * 2, MAX_RETRY_MS);
    }

    private async tryOnce(): Promise<void> {
        try {
            await this.parts.mend();
        } catch (error) {
            const why = error instanceof UnreadableTail ? "what was not synced cannot be read any more" : errorCode(error);
            this.lastTry = ` (${why})`;
            this.plan();
            return;
        }
        this.problem = undefined;
        this.parts.mended();
    }
}
