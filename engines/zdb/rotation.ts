import type { Namespace } from "./namespace.ts";
import { Refusal } from "./refusal.ts";
import type { Timers } from "./syncer.ts";

const LOOK_MS = 1000;

export interface RotationParts {
    readonly timers: Timers;
    /** A namespace goes on in another segment after so many seconds. */
    readonly seconds: number;
    namespaces(): Iterable<Namespace>;
    log(line: string): void;
}

/** Since when a namespace appends to its segment, and up to which record that was looked at. */
interface Seen {
    readonly segment: number;
    readonly sinceMs: number;
    readonly lsn: number;
}

/** Ends the segments of namespaces that were written to, after a time, so that they can be copied away. */
export class Rotation {
    private readonly parts: RotationParts;
    private readonly seen = new WeakMap<Namespace, Seen>();
    private cancel: (() => void) | undefined;

    constructor(parts: RotationParts) {
        this.parts = parts;
    }

    start(): void {
        for (const namespace of this.parts.namespaces()) this.look(namespace);
        this.cancel = this.parts.timers.after(LOOK_MS, () => this.start());
    }

    stop(): void {
        this.cancel?.();
    }

    private look(namespace: Namespace): void {
        const { log, segments } = namespace;
        const seen = this.seen.get(namespace);
        const nowMs = this.parts.timers.nowMs();
        if (seen?.segment !== log.activeSegment) {
            // What a new segment has already was written since the last jump; what is there at the start was not.
            const lsn = seen ? (segments.all.at(-1)?.header.firstLsn ?? 1) - 1 : log.lastLsn;
            this.seen.set(namespace, { segment: log.activeSegment, sinceMs: nowMs, lsn });
            return;
        }
        const isDue = nowMs - seen.sinceMs >= this.parts.seconds * 1000;
        if (!isDue || log.lastLsn <= seen.lsn || log.failure !== undefined || namespace.renewal) return;
        try {
            namespace.nextSegment();
        } catch (error) {
            if (!(error instanceof Refusal)) throw error;
            this.parts.log(`namespace ${namespace.name} could not be rotated: ${error.message}`);
        }
    }
}
