import type { Disk } from "./disk.ts";
import { READ_STEP_BYTES } from "./limits.ts";
import type { Segment } from "./segment.ts";
import type { Segments } from "./segments.ts";
import { UnreadableRecord } from "./whole-segment.ts";

/** Reads segments from their beginning to their end, ahead and on the thread pool. */
export class SegmentWindow {
    private readonly disk: Disk;
    private readonly segments: Segments;
    /** One for all reads: memory that is new to the process each time costs as much as what is read into it. */
    private readonly buffer = Buffer.allocUnsafeSlow(READ_STEP_BYTES);
    private bytes = this.buffer.subarray(0, 0);
    private segment = 0;
    private start = 0;

    constructor(disk: Disk, segments: Segments) {
        this.disk = disk;
        this.segments = segments;
    }

    /** Bytes that were read ahead, good until the next call; undefined when they have to be read. */
    ahead(segment: Segment, offset: number, length: number): Buffer | undefined {
        const from = offset - this.start;
        const isThere = this.segment === segment.id && from >= 0 && from + length <= this.bytes.length;
        return isThere ? this.bytes.subarray(from, from + length) : undefined;
    }

    /** Good until the next call. Throws what the disk throws, or an UnreadableRecord. */
    async read(segment: Segment, offset: number, length: number): Promise<Buffer> {
        const ahead = this.ahead(segment, offset, length);
        if (ahead) return ahead;
        const most = Math.min(READ_STEP_BYTES, segment.endOffset - offset);
        const { fd, giveBack } = this.segments.borrow(segment.id);
        this.bytes = this.buffer.subarray(0, 0);
        try {
            const count = await this.disk.readLater(fd, this.buffer, 0, most, offset);
            if (count < length) throw new UnreadableRecord(segment, offset);
            this.bytes = this.buffer.subarray(0, count);
        } finally {
            giveBack();
        }
        this.segment = segment.id;
        this.start = offset;
        return this.bytes.subarray(0, length);
    }
}
