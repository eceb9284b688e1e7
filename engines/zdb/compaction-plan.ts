import type { Segment } from "./segment.ts";

/** Most bytes one rewriting reads, in segments of full size. */
const MOST_INPUT_SEGMENTS = 4;
/** A rewriting must free this share of what it reads; on a full disk little is better than nothing. */
const WORTHWHILE_SHARE = 0.25;
const WORTHWHILE_SHARE_WHEN_FULL = 1 / 64;
/** Segments that are mostly empty are merged when this many fit into one. */
const WORTHWHILE_MERGE = 4;
/** What opening, syncing and renaming cost, as if so much were copied: a segment without anything needed is the best there is. */
const FIXED_COST_BYTES = 64 * 1024;

/** When a log has so much that is not needed that it is rewritten, and when writes wait for that. */
export interface SpaceUse {
    readonly totalBytes: number;
    readonly neededBytes: number;
    readonly segmentBytes: number;
}

/** The log may take twice what it needs, and two segments: one of them, and some, is left for what a rewriting and the next batch write. */
export function mustWait({ totalBytes, neededBytes, segmentBytes }: SpaceUse): boolean {
    return totalBytes > 2 * neededBytes + 0.875 * segmentBytes;
}

/**
 * What a log has above the size that is left alone: a quarter of a segment before writes would wait. The longer a segment is left, the less of
 * it is still live and has to be copied.
 */
export function debtBytes({ totalBytes, neededBytes, segmentBytes }: SpaceUse): number {
    return Math.max(0, Math.ceil(totalBytes - 2 * neededBytes - 0.625 * segmentBytes));
}

export const isWorthwhile = (use: SpaceUse): boolean => debtBytes(use) > 0;

/** Whether the garbage of a segment is worth a rewriting of its own. */
export function isWorthRewriting({ garbageBytes, endOffset }: Segment, isFull: boolean): boolean {
    return garbageBytes >= endOffset * leastShare(isFull);
}

const leastShare = (isFull: boolean): number => (isFull ? WORTHWHILE_SHARE_WHEN_FULL : WORTHWHILE_SHARE);

/** Whether little is left of the second, so that it need not be a file of its own. */
export function fitTogether(first: Segment, second: Segment, segmentBytes: number): boolean {
    const [before, left] = [first, second].map(({ endOffset, garbageBytes }) => endOffset - garbageBytes);
    if (first.damaged || before === undefined || left === undefined) return false;
    return left < segmentBytes / 8 && before + left <= segmentBytes;
}

/** What a choice is made by. */
export interface RunLimits {
    readonly segmentBytes: number;
    /** What there is room for. */
    readonly mostOutputBytes: number;
    readonly isFull: boolean;
}

/**
 * The run of adjacent closed segments whose rewriting frees most for what it copies; undefined when none is worth it. The result
 * fits into one segment.
 */
export function chooseRun(closed: readonly Segment[], { segmentBytes, mostOutputBytes, isFull }: RunLimits): Segment[] | undefined {
    const share = leastShare(isFull);
    let best: Segment[] | undefined;
    let bestScore = 0;
    for (let first = 0; first < closed.length; first++) {
        let input = 0;
        let needed = 0;
        for (let last = first; last < closed.length; last++) {
            const segment = closed[last];
            if (!segment || segment.damaged) break;
            input += segment.endOffset;
            needed += segment.endOffset - segment.garbageBytes;
            if (last > first && (needed > Math.min(segmentBytes, mostOutputBytes) || input > MOST_INPUT_SEGMENTS * segmentBytes)) break;
            const freed = input - needed;
            const merged = last - first + 1;
            if (needed > mostOutputBytes || (freed < input * share && merged < WORTHWHILE_MERGE)) continue;
            const score = (freed + (merged - 1) * FIXED_COST_BYTES) / (needed + FIXED_COST_BYTES);
            if (score <= bestScore) continue;
            bestScore = score;
            best = closed.slice(first, last + 1);
        }
    }
    return best;
}
