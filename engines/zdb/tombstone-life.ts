import { placeOf } from "./rising-numbers.ts";
import type { Segment } from "./segment.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-header.ts";

/**
 * A tombstone lives until no older segment holds a version of its key. Versions inside the segments that are rewritten together go
 * with it, so its chain is followed through them; what is older is known to be clean when it was rewritten after the deletion.
 */
export class TombstoneLife {
    private readonly firstLsn: number;
    /** LSN and previous LSN of the values that are rewritten, in order. Empty while everything older is clean. */
    private readonly lsns: number[] = [];
    private readonly previous: number[] = [];
    private readonly cleanUpTo: number;

    constructor(run: readonly Segment[], older: readonly Segment[]) {
        this.firstLsn = run[0]?.header.firstLsn ?? 0;
        this.cleanUpTo = Math.min(...older.map(cleanLsn), Number.POSITIVE_INFINITY);
    }

    /** Whether chains matter: something older may hold versions. */
    get followsChains(): boolean {
        return this.cleanUpTo !== Number.POSITIVE_INFINITY;
    }

    /** A value among those that are rewritten. */
    saw(lsn: number, previousLsn: number): void {
        this.lsns.push(lsn);
        this.previous.push(previousLsn);
    }

    /** Whether a tombstone must stay; with it, the last version before it that may still be somewhere. */
    outlives(lsn: number, previousLsn: number): number | undefined {
        if (lsn <= this.cleanUpTo) return undefined;
        let version = previousLsn;
        while (version >= this.firstLsn) {
            const before = this.previousOf(version);
            // Left out by an earlier rewriting: what it superseded may be anywhere.
            if (before === undefined) return version;
            version = before;
        }
        return version === 0 ? undefined : version;
    }

    private previousOf(lsn: number): number | undefined {
        const place = placeOf(lsn, this.lsns);
        return place === undefined ? undefined : this.previous[place];
    }
}

/** Every version that was superseded up to this LSN is gone from the segment. */
function cleanLsn(segment: Segment): number {
    if (segment.liveBytes + SEGMENT_HEADER_BYTES === segment.endOffset) return Number.POSITIVE_INFINITY;
    return segment.header.cleanLsn;
}
