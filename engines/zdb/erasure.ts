import { MOST_ERASURE_LOOK_MS } from "./limits.ts";
import type { Namespace } from "./namespace.ts";
import type { Timers } from "./syncer.ts";

/** So often is looked within the time. */
const LOOKS = 24;
const MS_PER_HOUR = 3_600_000;

export interface ErasureParts {
    readonly timers: Timers;
    /** A value that was overwritten or deleted is gone from the disk after so many hours; 0: when compaction has a reason of its own. */
    readonly hours: number;
    namespaces(): Iterable<Namespace>;
}

/** Has old garbage rewritten away, also in namespaces nobody writes to any more. */
export class Erasure {
    private readonly parts: ErasureParts;
    private cancel: (() => void) | undefined;

    constructor(parts: ErasureParts) {
        this.parts = parts;
    }

    start(): void {
        if (this.parts.hours > 0) this.look();
    }

    stop(): void {
        this.cancel?.();
    }

    private look(): void {
        const ms = this.parts.hours * MS_PER_HOUR;
        const lookMs = Math.min(ms / LOOKS, MOST_ERASURE_LOOK_MS);
        // Garbage is seen a look after it came about, and found to be old a look after that.
        for (const namespace of this.parts.namespaces()) namespace.upkeep.eraseWhatIsOlder(ms - 2 * lookMs);
        this.cancel = this.parts.timers.after(lookMs, () => this.look());
    }
}
