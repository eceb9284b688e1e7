import { LsnMarks } from "./lsn-marks.ts";
import type { RecordMoves } from "./record-moves.ts";
import { SEGMENT_HEADER_BYTES, type SegmentHeader } from "./segment-header.ts";

/** One segment file as the running server knows it. */
export class Segment {
    /** Place in the table: never used again, while a rewritten file takes over the number of an old one. */
    readonly id: number;
    readonly header: SegmentHeader;
    /** End of its last record; grows while it is appended to. */
    endOffset: number;
    /** Last LSN it stands for, `firstLsn - 1` while it has none. */
    lastLsn: number;
    /** Bytes of the records the index points to, heads and keys counted. */
    liveBytes = 0;
    /** Bytes that are not live but had to stay when it was rewritten: header, tombstones, properties. */
    keptBytes: number;
    /** Versions that were kept as history, while they are taken to be wanted still. */
    historyBytes: number;
    /** Where its records were before it was rewritten, while the index still points there. */
    moves: RecordMoves | undefined;
    /** Where records begin, while there is no sidecar that tells. */
    marks: LsnMarks | undefined = new LsnMarks();
    /** A record of it could not be read: it is not rewritten until it was repaired. */
    damaged = false;

    constructor(id: number, header: SegmentHeader, endOffset: number) {
        this.id = id;
        this.header = header;
        this.endOffset = endOffset;
        this.keptBytes = header.keptBytes || SEGMENT_HEADER_BYTES;
        this.historyBytes = header.historyBytes;
        this.lastLsn = header.generation > 0 ? header.lastLsn : header.firstLsn - 1;
    }

    /** A record with this LSN is from here to there. */
    saw(lsn: number, offset: number, endOffset: number): void {
        this.marks?.saw(lsn, offset);
        this.endOffset = endOffset;
        this.lastLsn = Math.max(this.lastLsn, lsn);
    }

    /** Its sidecar tells where its records are. */
    listed(endOffset: number, lastLsn: number): void {
        this.endOffset = endOffset;
        this.lastLsn = lastLsn;
        this.marks = undefined;
    }

    /** It has no sidecar (any more): all of it is to be read. */
    unlist(): void {
        if (this.marks) return;
        this.marks = new LsnMarks();
        this.marks.saw(this.header.firstLsn, SEGMENT_HEADER_BYTES);
    }

    /** What a rewriting would free. */
    get garbageBytes(): number {
        return Math.max(0, this.endOffset - this.liveBytes - this.keptBytes - this.historyBytes);
    }
}
