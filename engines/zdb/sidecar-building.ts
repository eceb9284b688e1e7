import type { Disk } from "./disk.ts";
import { RecordCursor, SegmentBlocks } from "./record-blocks.ts";
import type { Segment } from "./segment.ts";
import type { Segments } from "./segments.ts";
import type { SidecarWriter } from "./sidecar-writer.ts";
import type { Sidecars } from "./sidecars.ts";
import type { Slices } from "./slices.ts";
import { WholeSegment } from "./whole-segment.ts";

/** Writes the sidecar of a closed segment that has none, and forgets its marks. Throws what the disk throws. */
export async function buildSidecar(disk: Disk, segments: Segments, sidecars: Sidecars, segment: Segment, slices: Slices): Promise<void> {
    const { number } = segment.header;
    const { fd, giveBack } = segments.borrow(segment.id);
    let writer: SidecarWriter | undefined;
    try {
        writer = sidecars.begin(number);
        const blocks = new SegmentBlocks(disk, fd, segment);
        const whole = new WholeSegment(segment);
        for (let place = 0; place < blocks.count; place++) {
            for (const cursor = new RecordCursor(blocks.read(place)); !cursor.isAtEnd; cursor.step()) {
                whole.saw(cursor);
                const { headStart: from, keyStart, keyLength } = cursor;
                writer.add(cursor.offset, cursor.lsn, cursor.block, from, keyStart + keyLength);
                const pause = slices.next();
                if (pause) await pause;
            }
        }
        whole.ended();
    } catch (error) {
        writer?.abandon();
        throw error;
    } finally {
        giveBack();
    }
    await writer.finish(segment);
    segment.marks = undefined;
}
