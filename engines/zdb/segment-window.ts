import type { Disk } from "./disk.ts";
import { READ_STEP_BYTES } from "./limits.ts";
import type { Segment, Segments } from "./segments.ts";
import { UnreadableRecord } from "./whole-segment.ts";

/** Reads segments from their beginning to their end, ahead and on the thread pool. */
export class SegmentWindow {
    private readonly disk: Disk;
    private readonly segments: Segments;
    private bytes = Buffer.alloc(0);
    private segment = 0;
    private start = 0;

    constructor(disk: Disk, segments: Segments) {
        this.disk = disk;
        this.segments = segments;
    }

    /** Good until the next call. Throws what the disk throws, or an UnreadableRecord. */
    async read(segment: Segment, offset: number, length: number): Promise<Buffer> {
        const from = offset - this.start;
        if (this.segment === segment.id && from >= 0 && from + length <= this.bytes.length) return this.bytes.subarray(from, from + length);
        const bytes = Buffer.allocUnsafe(Math.min(READ_STEP_BYTES, segment.endOffset - offset));
        const { fd, giveBack } = this.segments.borrow(segment.id);
        try {
            const count = await this.disk.readLater(fd, bytes, 0, bytes.length, offset);
            if (count < length) throw new UnreadableRecord(segment, offset);
            this.bytes = bytes.subarray(0, count);
        } finally {
            giveBack();
        }
        this.segment = segment.id;
        this.start = offset;
        return this.bytes.subarray(0, length);
    }
}
