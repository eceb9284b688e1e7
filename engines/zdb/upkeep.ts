import { CompactionOver } from "./compaction.ts";
import { errorCode } from "./disk.ts";
import type { Timers } from "./syncer.ts";
import { UnreadableRecord } from "./whole-segment.ts";

/** After trouble with a namespace it is left alone for so long. */
const PAUSE_AFTER_FAILURE_MS = 60_000;

/** A namespace with work that can wait: sidecars to write, segments to rewrite. */
export interface Upkept {
    readonly name: string;
    /** Does one piece of it; false when there is none left. */
    tidy(): Promise<boolean>;
    /** Circumstances are others than when it found that nothing could be done. */
    mayHelp(): void;
    /** There will be no more room for now: writes that wait must go on. */
    untidied(): void;
}

export interface UpkeepParts {
    readonly timers: Timers;
    readonly compacts?: boolean;
    log(line: string): void;
}

/** Does the work of all namespaces of a server that can wait, one piece at a time, each namespace in its turn. */
export class Upkeep {
    /** Segments are rewritten; otherwise they stay as they are, for whoever copies them. */
    readonly compacts: boolean;
    private readonly timers: Timers;
    private readonly log: (line: string) => void;
    private readonly known = new Set<Upkept>();
    private readonly waiting = new Set<Upkept>();
    private readonly paused = new Map<Upkept, number>();
    private isRunning = false;

    constructor({ timers, log, compacts = true }: UpkeepParts) {
        this.timers = timers;
        this.log = log;
        this.compacts = compacts;
    }

    /** The namespace is there. */
    begin(namespace: Upkept): void {
        this.known.add(namespace);
    }

    /** The disk is full: what any namespace does not need must go, however little it is. */
    sawFull(): void {
        for (const namespace of this.known) {
            namespace.mayHelp();
            this.wants(namespace);
        }
    }

    /** The namespace may have work. */
    wants(namespace: Upkept): void {
        if (this.isPaused(namespace)) return;
        this.waiting.add(namespace);
        if (this.isRunning) return;
        this.isRunning = true;
        void this.run();
    }

    /** Whether writes may wait for it: it is under way, or will be. */
    helps(namespace: Upkept): boolean {
        return this.waiting.has(namespace);
    }

    nowMs(): number {
        return this.timers.nowMs();
    }

    forget(namespace: Upkept): void {
        this.known.delete(namespace);
        this.waiting.delete(namespace);
        this.paused.delete(namespace);
    }

    private async run(): Promise<void> {
        // Often a log asks in the middle of a write, which must be through before anything builds on it.
        await Promise.resolve();
        for (;;) {
            const [namespace] = this.waiting;
            if (!namespace) break;
            const isMore = await this.tidy(namespace);
            // To the end of the line, so that others have their turn.
            const isWanted = this.waiting.delete(namespace);
            if (isMore && isWanted) this.waiting.add(namespace);
            else namespace.untidied();
        }
        this.isRunning = false;
    }

    private async tidy(namespace: Upkept): Promise<boolean> {
        try {
            return await namespace.tidy();
        } catch (error) {
            if (error instanceof CompactionOver) return false;
            const why = error instanceof UnreadableRecord ? error.message : errorCode(error);
            this.log(
                `namespace ${namespace.name}: its log could not be tidied (${why}), tried again in ${PAUSE_AFTER_FAILURE_MS / 1000} s`,
            );
            this.paused.set(namespace, this.timers.nowMs() + PAUSE_AFTER_FAILURE_MS);
            return false;
        }
    }

    private isPaused(namespace: Upkept): boolean {
        const until = this.paused.get(namespace);
        if (until === undefined) return false;
        if (this.timers.nowMs() < until) return true;
        this.paused.delete(namespace);
        return false;
    }
}
