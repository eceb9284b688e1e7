import type { DiskReader } from "./disk.ts";
import { MAX_KEY_BYTES } from "./limits.ts";
import { RECORD_HEAD_BYTES, RECORD_MARK, RECORD_MARK_OFFSET, type RecordHead, readHead, recordLength } from "./record.ts";
import { SEGMENT_HEADER_BYTES, type SegmentHeader } from "./segment-header.ts";

/** Read ahead in steps of this size; a value larger than it is stepped over without being read. */
const WINDOW_BYTES = 256 * 1024;
const LONGEST_HEAD = RECORD_HEAD_BYTES + MAX_KEY_BYTES;

export interface ScannedRecord {
    readonly head: RecordHead;
    readonly key: Buffer;
    /** Where the record begins in its segment. */
    readonly offset: number;
    readonly payloadOffset: number;
}

/** A place where records are missing or unreadable although later ones exist. */
export interface Damage {
    readonly segment: number;
    readonly offset: number;
    readonly expectedLsn: number;
    readonly why: string;
}

/**
 * Reads the records of one segment in order, heads and keys only. A frame that is no record ends the walk when no record with a
 * higher LSN follows (`validEnd` is then before the end of the file: a torn tail), and is damage when one does.
 */
export class SegmentScanner {
    /** End of the last record read: where the valid part of the segment ends once `next` gave undefined. */
    validEnd: number;
    readonly damage: Damage[] = [];
    /** LSN the next record must have (generation 0) or exceed by any amount (rewritten segments). */
    expectedLsn: number;

    private readonly disk: DiskReader;
    private readonly fd: number;
    private readonly end: number;
    private readonly header: SegmentHeader;
    private window = Buffer.alloc(0);
    private windowStart = 0;

    constructor(
        disk: DiskReader,
        fd: number,
        end: number,
        header: SegmentHeader,
        expectedLsn = header.firstLsn,
        start = SEGMENT_HEADER_BYTES,
    ) {
        this.validEnd = start;
        this.disk = disk;
        this.fd = fd;
        this.end = end;
        this.header = header;
        this.expectedLsn = expectedLsn;
    }

    next(): ScannedRecord | undefined {
        if (this.validEnd >= this.end) return undefined;
        const record = this.recordAt(this.validEnd);
        if (record) return this.accept(record);

        const later = this.searchFrom(this.validEnd + 1);
        if (!later) return undefined;
        this.addDamage("a record is unreadable and later ones are there");
        this.expectedLsn = later.head.lsn;
        return this.accept(later);
    }

    /** Where head and key of the record that was given last stand as they are on disk; good until the next one. */
    frame({ offset, payloadOffset }: ScannedRecord): { readonly bytes: Buffer; readonly from: number; readonly to: number } {
        return { bytes: this.window, from: offset - this.windowStart, to: payloadOffset - this.windowStart };
    }

    private accept(record: ScannedRecord): ScannedRecord {
        if (record.head.lsn > this.expectedLsn && this.header.generation === 0) this.addDamage("records are missing");
        this.expectedLsn = record.head.lsn + 1;
        this.validEnd = record.offset + recordLength(record.head);
        return record;
    }

    private addDamage(why: string): void {
        this.damage.push({ segment: this.header.number, offset: this.validEnd, expectedLsn: this.expectedLsn, why });
    }

    /** The whole record at this offset, if it is one and comes after what was read. */
    private recordAt(offset: number): ScannedRecord | undefined {
        const record = this.headAt(offset);
        return record && offset + recordLength(record.head) <= this.end ? record : undefined;
    }

    private headAt(offset: number): ScannedRecord | undefined {
        const at = this.load(offset);
        const head = readHead(this.window, at, this.window.length, this.header.salt);
        if (!head || head.lsn < this.expectedLsn) return undefined;
        const keyStart = at + RECORD_HEAD_BYTES;
        return {
            head,
            key: this.window.subarray(keyStart, keyStart + head.keyLength),
            offset,
            payloadOffset: offset + RECORD_HEAD_BYTES + head.keyLength,
        };
    }

    /** The next record at or after `offset`, at any byte. One whose payload is cut short is proof of damage all the same. */
    private searchFrom(offset: number): ScannedRecord | undefined {
        let from = offset;
        while (from + RECORD_HEAD_BYTES <= this.end) {
            const at = this.load(from);
            const mark = this.window.indexOf(RECORD_MARK, at + RECORD_MARK_OFFSET);
            if (mark < 0) {
                from = Math.max(from + 1, this.windowStart + this.window.length - RECORD_MARK_OFFSET);
                continue;
            }
            const candidate = this.windowStart + mark - RECORD_MARK_OFFSET;
            const record = this.headAt(candidate);
            if (record) return record;
            from = candidate + 1;
        }
        return undefined;
    }

    /** Makes a head and key at `offset` readable in the window and returns their place in it. */
    private load(offset: number): number {
        const needed = Math.min(offset + LONGEST_HEAD, this.end);
        if (offset < this.windowStart || needed > this.windowStart + this.window.length) {
            const length = Math.min(WINDOW_BYTES, this.end - offset);
            // Fresh memory: keys handed out point into the old window.
            const window = Buffer.allocUnsafe(length);
            this.window = window.subarray(0, this.disk.read(this.fd, window, 0, length, offset));
            this.windowStart = offset;
        }
        return offset - this.windowStart;
    }
}
