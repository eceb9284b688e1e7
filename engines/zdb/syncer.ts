import type { Durability } from "./durability.ts";

/** Clock and timers, so that tests need no sleep. */
export interface Timers {
    nowMs(): number;
    /** Runs once after the delay; the result cancels it. */
    after(ms: number, run: () => void): () => void;
}

export const systemTimers: Timers = {
    nowMs: () => performance.now(),
    after(ms, run) {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
    },
};

export interface SyncerParts {
    readonly timers: Timers;
    /** Syncs everything written so far. */
    sync(): Promise<void>;
    /** More may be acknowledged, or the log failed. */
    advanced(): void;
    failed(error: unknown): void;
}

/**
 * Decides when a log is synced and up to which LSN answers may be given.
 * One sync runs at a time and serves every writer that came before it.
 */
export class Syncer {
    /** Everything up to here survives a power loss. */
    syncedLsn: number;
    /** Replies that depend on nothing newer may be sent. */
    acknowledgedLsn: number;

    private readonly parts: SyncerParts;
    private durability: Durability;
    private writtenLsn: number;
    private failure: unknown;
    private oldestUnsyncedMs: number | undefined;
    private running: Promise<void> | undefined;
    private cancelTimer: (() => void) | undefined;
    private stopped = false;
    private isHalted = false;

    constructor(parts: SyncerParts, durability: Durability, lsn: number) {
        this.parts = parts;
        this.durability = durability;
        this.syncedLsn = lsn;
        this.acknowledgedLsn = lsn;
        this.writtenLsn = lsn;
    }

    setDurability(durability: Durability): void {
        this.durability = durability;
        this.cancelTimer?.();
        this.cancelTimer = undefined;
        if (this.writtenLsn > this.syncedLsn) this.plan();
        this.acknowledge();
    }

    /** A batch up to this LSN is in the file. */
    written(lsn: number): void {
        this.writtenLsn = lsn;
        this.oldestUnsyncedMs ??= this.parts.timers.nowMs();
        this.plan();
        this.acknowledge();
    }

    /** The owner synced everything written by itself. */
    syncedNow(): void {
        this.syncedLsn = this.writtenLsn;
        this.oldestUnsyncedMs = undefined;
        this.acknowledge();
    }

    /** A sync of the owner failed: the next one may say yes without having written what that one lost, so none counts any more. */
    failed(error: unknown): void {
        this.failure ??= error;
    }

    /** Resolves once all that is written now is synced; rejects when that fails. */
    async request(): Promise<void> {
        const target = this.writtenLsn;
        while (this.syncedLsn < target) {
            if (this.failure !== undefined) throw this.failure;
            if (this.isHalted) throw new Error("syncs are halted");
            await this.run();
        }
    }

    /** Nothing is synced from now on, as after a failed sync; resolves when a sync under way has ended. */
    async halt(): Promise<void> {
        this.isHalted = true;
        await this.running;
    }

    /** Syncs may go on, unless one has failed. */
    goOn(): void {
        this.isHalted = false;
        if (this.writtenLsn > this.syncedLsn) this.plan();
    }

    /** Everything written is on disk in spite of a failed sync, in another file. */
    mended(): void {
        this.failure = undefined;
        this.isHalted = false;
        this.syncedNow();
    }

    /** Ends timers and waits for a running sync. */
    async stop(): Promise<void> {
        this.stopped = true;
        this.cancelTimer?.();
        this.cancelTimer = undefined;
        await this.running;
    }

    private plan(): void {
        if (this.failure !== undefined || this.stopped || this.isHalted) return;
        if (this.durability.kind === "commit") void this.run();
        if (this.durability.kind !== "interval" || this.cancelTimer) return;
        // Half the interval leaves the other half for the sync itself.
        const ageMs = this.parts.timers.nowMs() - (this.oldestUnsyncedMs ?? this.parts.timers.nowMs());
        this.cancelTimer = this.parts.timers.after(Math.max(0, this.durability.ms / 2 - ageMs), () => {
            this.cancelTimer = undefined;
            if (!this.isHalted) void this.run();
        });
    }

    /** Starts a sync, or joins the running one. Never rejects. */
    private run(): Promise<void> {
        this.running ??= this.syncOnce().finally(() => {
            this.running = undefined;
            if (this.writtenLsn > this.syncedLsn) this.plan();
        });
        return this.running;
    }

    private async syncOnce(): Promise<void> {
        const target = this.writtenLsn;
        const startedMs = this.parts.timers.nowMs();
        try {
            await this.parts.sync();
        } catch (error) {
            this.failure = error;
            this.parts.failed(error);
            this.parts.advanced();
            return;
        }
        if (this.failure !== undefined) return;
        this.syncedLsn = Math.max(this.syncedLsn, target);
        // What was written meanwhile is at most as old as the start of this sync.
        this.oldestUnsyncedMs = this.writtenLsn > this.syncedLsn ? startedMs : undefined;
        this.acknowledge();
    }

    private acknowledge(): void {
        const before = this.acknowledgedLsn;
        this.acknowledgedLsn = Math.max(before, this.mayWait() ? this.writtenLsn : this.syncedLsn);
        if (this.acknowledgedLsn > before) this.parts.advanced();
    }

    /** Whether writes may be acknowledged before they are synced. */
    private mayWait(): boolean {
        if (this.durability.kind === "none") return true;
        if (this.durability.kind === "commit" || this.failure !== undefined) return false;
        return this.oldestUnsyncedMs === undefined || this.parts.timers.nowMs() - this.oldestUnsyncedMs <= this.durability.ms;
    }
}
