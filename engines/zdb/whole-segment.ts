import type { RecordCursor } from "./record-blocks.ts";
import type { Segment } from "./segment.ts";
import { SEGMENT_HEADER_BYTES, segmentName } from "./segment-header.ts";

/** A record that cannot be read stands in the way. */
export class UnreadableRecord extends Error {
    readonly segment: Segment;

    constructor(segment: Segment, offset: number) {
        super(`record at ${segmentName(segment.header.number)} offset ${offset} is unreadable`);
        this.segment = segment;
    }
}

/** Makes sure that no record of a closed segment is passed over: they stand in it without a gap. */
export class WholeSegment {
    private readonly segment: Segment;
    private nextOffset = SEGMENT_HEADER_BYTES;

    constructor(segment: Segment) {
        this.segment = segment;
    }

    saw({ offset, bytes }: RecordCursor): void {
        if (offset !== this.nextOffset) throw new UnreadableRecord(this.segment, this.nextOffset);
        this.nextOffset += bytes;
    }

    ended(): void {
        if (this.nextOffset !== this.segment.endOffset) throw new UnreadableRecord(this.segment, this.nextOffset);
    }
}
