import type { Disk } from "./disk.ts";
import type { DiskSpace } from "./disk-space.ts";
import type { Place } from "./place.ts";
import type { Encoding, RecordKind } from "./record.ts";
import type { Segment } from "./segment.ts";
import type { Segments } from "./segments.ts";
import type { Timers } from "./syncer.ts";

/** One record to append. */
export interface NewRecord {
    readonly kind: RecordKind;
    readonly encoding?: Encoding;
    readonly key: Uint8Array;
    readonly payload: Uint8Array;
    /** Of `payload`, when the caller has it already. */
    readonly checksum?: number | undefined;
    readonly previousLsn: number;
    readonly timestamp: number;
}

/** Where a record that was appended is, or will be when its batch is written. */
export interface Appended {
    readonly place: Place;
    readonly lsn: number;
}

export interface LogParts {
    readonly disk: Disk;
    readonly segments: Segments;
    readonly space: DiskSpace;
    readonly timers: Timers;
}

/** The one that appends: told how batches went, asked for what new segments need. */
export interface LogOwner {
    /** Next sequential id, kept in the header of a new segment. */
    nextId(): number;
    segmentBytes(): number;
    batchBegun(): void;
    batchWritten(): void;
    /** The batch is not in the log: everything it changed in memory must be undone. */
    batchFailed(): void;
    /** A new segment is appended to from now on; the one before is complete and on disk. */
    segmentBegun(before: number, now: number): void;
    /** Values are refused until there is room. */
    diskIsFull(): void;
    /** Ends what works on the segments in the background, before they are closed. */
    quiesce(): Promise<void>;
    /** Everything written when it began was synced, which took so long. */
    synced(ms: number): void;
    /** Replies that waited may be sent now. */
    acknowledged(): void;
    failed(reason: string): void;
    /** What failed is overcome. */
    mended(): void;
}

/** Where the log ends, as a new or reopened log starts from it. */
export interface LogEnd {
    readonly segment: Segment;
    readonly fd: number;
    readonly lastLsn: number;
    readonly closedInOrder: boolean;
    /** Why nothing may be appended. */
    readonly failure: string | undefined;
}
