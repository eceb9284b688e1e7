import { RECORD_KINDS, type RecordHead } from "./record.ts";

/**
 * The records that damage took from a log, known by the numbers that are missing among those that are left.
 * A later value or tombstone that supersedes a lost record proves that it was a value: properties supersede properties only.
 */
export class LostRecords {
    private readonly gaps: { readonly from: number; readonly to: number }[] = [];
    private nextLsn = 1;
    private unexplained = 0;
    private leftOutTo = 0;

    /** Records are missing among those that were read. */
    get hasGaps(): boolean {
        return this.gaps.length > 0;
    }

    /** A segment that was rewritten stands for its range: what is missing in it was left out. */
    rewritten(firstLsn: number, lastLsn: number): void {
        this.reached(firstLsn);
        this.leftOutTo = lastLsn;
    }

    /** The next record that can be read. */
    saw({ kind, lsn, previousLsn }: RecordHead): void {
        this.reached(lsn);
        this.nextLsn = lsn + 1;
        if (this.gaps.length === 0 || previousLsn === 0) return;
        const isOfValue = kind === RECORD_KINDS.value || kind === RECORD_KINDS.tombstone;
        if (isOfValue && this.gaps.some(({ from, to }) => previousLsn >= from && previousLsn <= to)) this.unexplained--;
    }

    /** Whether every record that is missing before `endLsn` is proven to be no property. */
    wereValues(endLsn: number): boolean {
        this.reached(endLsn);
        return this.unexplained === 0;
    }

    private reached(lsn: number): void {
        const from = Math.max(this.nextLsn, this.leftOutTo + 1);
        this.nextLsn = Math.max(this.nextLsn, lsn);
        if (from >= lsn) return;
        this.gaps.push({ from, to: lsn - 1 });
        this.unexplained += lsn - from;
    }
}
