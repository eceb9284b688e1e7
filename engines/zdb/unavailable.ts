import { errorCode } from "./disk.ts";
import { StartError } from "./refusal.ts";
import type { Timers } from "./syncer.ts";

const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 60_000;

export interface UnavailableParts {
    readonly timers: Timers;
    /** Throws while the namespace cannot be opened. */
    open(): Promise<void>;
    log(line: string): void;
}

/** A namespace whose directory is there but cannot be opened: tried again, less and less often, until it can. */
export class Unavailable {
    readonly name: string;
    readonly directory: string;
    private readonly parts: UnavailableParts;
    private problem: string;
    private retryMs = FIRST_RETRY_MS;
    private cancelRetry: (() => void) | undefined;
    private attempt: Promise<void> | undefined;
    private isStopped = false;

    constructor(parts: UnavailableParts, name: string, directory: string, error: unknown) {
        this.parts = parts;
        this.name = name;
        this.directory = directory;
        this.problem = problemOf(error);
        parts.log(`namespace ${name} is not available: ${this.reason}`);
        this.plan();
    }

    /** Why, for NSINFO and as the end of a refusal. */
    get reason(): string {
        return `${this.problem}, retrying`;
    }

    /** Tries no more; resolves when a try under way has ended, which may have opened the namespace after all. */
    async stop(): Promise<void> {
        this.isStopped = true;
        this.cancelRetry?.();
        await this.attempt;
    }

    /** Takes the trying up again. */
    goOn(): void {
        this.isStopped = false;
        this.plan();
    }

    private plan(): void {
        if (this.isStopped) return;
        this.cancelRetry = this.parts.timers.after(this.retryMs, () => {
            this.attempt = this.tryOnce();
        });
        this.retryMs = Math.min(this.retryMs * 2, MAX_RETRY_MS);
    }

    private async tryOnce(): Promise<void> {
        try {
            await this.parts.open();
            this.parts.log(`namespace ${this.name} is available after all`);
        } catch (error) {
            const problem = problemOf(error);
            if (problem !== this.problem) this.parts.log(`namespace ${this.name} is not available: ${problem}, retrying`);
            this.problem = problem;
            this.plan();
        }
    }
}

/** Why a namespace is not served. */
export function problemOf(error: unknown): string {
    return error instanceof StartError ? error.message : `its directory cannot be opened (${errorCode(error)})`;
}
