import type { Disk } from "./disk.ts";
import { RECORD_KINDS } from "./record.ts";
import { DamagedBlock, type RecordBlocks, RecordCursor, SegmentBlocks } from "./record-blocks.ts";
import type { Segment } from "./segment.ts";
import type { Segments } from "./segments.ts";
import type { Sidecars } from "./sidecars.ts";

const ENTRIES_BETWEEN_CLOCK_READS = 64;

/** One live value, as SCAN lists it. Its key stays in the block it was read with: to make a buffer of each takes longer than to list it. */
export class ScanEntry {
    readonly block: Buffer;
    readonly keyStart: number;
    readonly keyLength: number;
    /** Of the value. */
    readonly length: number;
    readonly timestamp: number;
    readonly lsn: number;

    constructor({ block, keyStart, keyLength, payloadLength, timestamp }: RecordCursor, lsn: number) {
        this.block = block;
        this.keyStart = keyStart;
        this.keyLength = keyLength;
        this.length = payloadLength;
        this.timestamp = timestamp;
        this.lsn = lsn;
    }

    get key(): Buffer {
        return this.block.subarray(this.keyStart, this.keyStart + this.keyLength);
    }
}

/** When to stop. */
export interface ScanBudget {
    readonly entries: number;
    readonly ms: number;
}

export interface ScanResult {
    readonly entries: readonly ScanEntry[];
    /** LSN to go on from, exclusively: of the last entry, or of a record that is not live when the time was over before one was found. */
    readonly lsn: number;
    /** Nothing comes after it. */
    readonly isEnd: boolean;
}

/** What the walk needs to know of the namespace. */
export interface IterationParts {
    readonly disk: Disk;
    readonly segments: Segments;
    readonly sidecars: Sidecars;
    /** Whether the index has the key at this very record. */
    isLive(key: Buffer, segment: Segment, offset: number): boolean;
}

/** The records of a log, without payloads, in the order of their LSNs. */
export class LogIteration {
    private readonly parts: IterationParts;

    constructor(parts: IterationParts) {
        this.parts = parts;
    }

    /**
     * Live values after `lsn` (before it when `direction` is -1), in order. The time counts from the first entry found on: an answer of
     * nothing needs another call, not a long one.
     */
    scan(lsn: number, direction: 1 | -1, budget: ScanBudget): ScanResult {
        const entries: ScanEntry[] = [];
        const endMs = performance.now() + budget.ms;
        let last = lsn;
        let visited = 0;
        for (const { segment, cursor } of this.walk(lsn, direction)) {
            last = cursor.lsn;
            if (cursor.kind === RECORD_KINDS.value && this.parts.isLive(cursor.passingKey, segment, cursor.offset)) {
                entries.push(new ScanEntry(cursor, last));
            }
            visited++;
            const isLate = visited % ENTRIES_BETWEEN_CLOCK_READS === 0 && performance.now() > endMs;
            if (isLate || entries.length >= budget.entries) return { entries, lsn: entries.at(-1)?.lsn ?? last, isEnd: false };
        }
        return { entries, lsn: entries.at(-1)?.lsn ?? last, isEnd: true };
    }

    /** The record with this LSN; undefined when it was compacted away. */
    find(lsn: number): { readonly segment: Segment; readonly cursor: RecordCursor } | undefined {
        if (lsn <= 0) return undefined;
        for (const found of this.walk(lsn - 1, 1)) return found.cursor.lsn === lsn ? found : undefined;
        return undefined;
    }

    /** All records after `lsn`, or all before it backwards. The cursor is good until the next step. */
    private *walk(lsn: number, direction: 1 | -1): Generator<{ readonly segment: Segment; readonly cursor: RecordCursor }> {
        const { segments } = this.parts;
        const sought = direction === 1 ? lsn + 1 : lsn - 1;
        for (let place = segments.placeOf(sought); place >= 0 && place < segments.all.length; place += direction) {
            const segment = segments.all[place];
            if (segment) yield* this.walkSegment(segment, lsn, direction);
        }
    }

    private *walkSegment(segment: Segment, lsn: number, direction: 1 | -1) {
        const blocks = this.blocksOf(segment);
        if (blocks.count === 0) return;
        const sought = direction === 1 ? lsn + 1 : lsn - 1;
        for (let place = blocks.find(sought); place >= 0 && place < blocks.count; place += direction) {
            const block = blocks.read(place);
            const cursor = new RecordCursor(block);
            const found = { segment, cursor };
            if (direction === 1) {
                for (; !cursor.isAtEnd; cursor.step()) if (cursor.lsn > lsn) yield found;
                continue;
            }
            for (const at of RecordCursor.places(block).reverse()) {
                cursor.moveTo(at);
                if (cursor.lsn < lsn) yield found;
            }
        }
    }

    /** Of the sidecar, or of the segment itself while it has none. */
    blocksOf(segment: Segment): RecordBlocks {
        const { disk, segments, sidecars } = this.parts;
        const sidecar = segment.marks ? undefined : sidecars.blocksOf(segment);
        if (sidecar) return new BlocksUntilDamaged(sidecar, () => this.unlist(segment));
        this.unlist(segment);
        return new SegmentBlocks(disk, segments.fd(segment.id), segment);
    }

    /** Its sidecar is of no use (any more): from now on the segment itself is read. */
    private unlist(segment: Segment): void {
        this.parts.sidecars.close(segment.id);
        segment.unlist();
    }
}

/** The blocks of a sidecar; once one is damaged, that is told to whoever can do without them. */
class BlocksUntilDamaged implements RecordBlocks {
    private readonly blocks: RecordBlocks;
    private readonly damaged: () => void;

    constructor(blocks: RecordBlocks, damaged: () => void) {
        this.blocks = blocks;
        this.damaged = damaged;
    }

    get count(): number {
        return this.blocks.count;
    }

    find(lsn: number): number {
        return this.attempt(() => this.blocks.find(lsn));
    }

    read(place: number): Buffer {
        return this.attempt(() => this.blocks.read(place));
    }

    private attempt<T>(work: () => T): T {
        try {
            return work();
        } catch (error) {
            if (error instanceof DamagedBlock) this.damaged();
            throw error;
        }
    }
}
