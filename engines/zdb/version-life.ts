import type { Retention } from "./retention.ts";
import { placeOf } from "./rising-numbers.ts";

/** One version of a key, and which one it superseded. */
export interface VersionLink {
    readonly lsn: number;
    readonly previousLsn: number;
    /** Unix seconds. */
    readonly timestamp: number;
}

/** The log outside of the segment that is rewritten. */
export interface VersionSource {
    /** The newest version of a key; undefined when it was deleted, or cannot be read. */
    live(key: Buffer): VersionLink | undefined;
    /** undefined when it is kept no longer. */
    at(lsn: number): VersionLink | undefined;
}

/** A chain longer than this is not followed to its end: what is behind is kept for now. */
const MOST_STEPS = 10_000;

/**
 * Which versions of a segment are kept as history. A version lives as long as it can be reached from the live one, over versions that
 * are kept themselves, and the retention covers it. To be told all values of the segment in order, then all of them once more.
 */
export class VersionLife {
    private readonly retention: Retention;
    private readonly source: VersionSource;
    private readonly nowS: number;
    private readonly lsns: number[] = [];
    private readonly previous: number[] = [];
    private readonly timestamps: number[] = [];
    /** Place of the version that superseded it, -1 when that is in no place of this segment. */
    private successors = new Int32Array(0);
    /** How many versions are newer, the live one not counted; -1 for the live one, undefined ones cannot be reached. */
    private ranks = new Float64Array(0);
    private place = 0;

    constructor(retention: Retention, source: VersionSource, nowS: number) {
        this.retention = retention;
        this.source = source;
        this.nowS = nowS;
    }

    saw({ lsn, previousLsn, timestamp }: VersionLink): void {
        this.lsns.push(lsn);
        this.previous.push(previousLsn);
        this.timestamps.push(timestamp);
    }

    /** All were seen. */
    link(): void {
        this.successors = new Int32Array(this.lsns.length).fill(-1);
        this.ranks = new Float64Array(this.lsns.length).fill(Number.POSITIVE_INFINITY);
        for (let place = 0; place < this.lsns.length; place++) {
            const before = placeOf(this.previous[place] ?? 0, this.lsns);
            if (before !== undefined) this.successors[before] = place;
        }
    }

    /** The next one, once more. Throws what the disk throws. */
    sawAgain(key: Buffer, isLive: boolean): void {
        const place = this.place++;
        if (isLive) this.ranks[place] = -1;
        else if (this.successors[place] === -1) this.ranks[place] = this.rankOutside(key, this.lsns[place] ?? 0);
    }

    /** All were seen again. */
    judge(): void {
        for (let place = this.lsns.length - 1; place >= 0; place--) {
            const successor = this.successors[place] ?? -1;
            if (successor === -1 || this.ranks[place] === -1) continue;
            const rank = (this.ranks[successor] ?? Number.POSITIVE_INFINITY) + 1;
            if (this.covers(rank, this.timestamps[successor] ?? 0)) this.ranks[place] = rank;
        }
    }

    /** One that was live when it was seen and is not any more counts as history. */
    keeps(lsn: number): boolean {
        const place = placeOf(lsn, this.lsns);
        return place !== undefined && this.ranks[place] !== Number.POSITIVE_INFINITY;
    }

    /** Rank of a version that something behind this segment superseded; Infinity when it is not kept. */
    private rankOutside(key: Buffer, lsn: number): number {
        let newer = this.source.live(key);
        for (let rank = 0; newer && newer.previousLsn >= lsn; rank++) {
            if (!this.covers(rank, newer.timestamp)) break;
            if (newer.previousLsn === lsn || rank === MOST_STEPS) return rank;
            newer = this.source.at(newer.previousLsn);
        }
        return Number.POSITIVE_INFINITY;
    }

    /** Whether a version with this rank that was superseded at this time is kept, if those between are. */
    private covers(rank: number, supersededS: number): boolean {
        if (rank === Number.POSITIVE_INFINITY) return false;
        return this.retention.kind === "count" ? rank < this.retention.versions : this.nowS - supersededS < this.retention.seconds;
    }
}
