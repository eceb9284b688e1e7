import type { DiskReader } from "./disk.ts";
import { MAX_PAYLOAD_BYTES, payloadChecksum } from "./record.ts";
import type { SegmentHeader } from "./segment-header.ts";
import type { ScannedRecord } from "./segment-scanner.ts";

/** A segment file that is being read. */
export interface StoredSegment {
    readonly header: SegmentHeader;
    readonly fd: number;
    /** Where the scan ends: the size of the file, or less when its tail is torn. */
    readonly end: number;
}

/** The segment a record was found in, as the table of segments has it. */
export interface RecordSource {
    readonly segment: number;
    /** The payload of one of its records, or undefined when it is not what was written. */
    payload(record: ScannedRecord): Buffer | undefined;
}

export function sourceOf(disk: DiskReader, { fd }: StoredSegment, segment: number): RecordSource {
    return {
        segment,
        payload({ head, payloadOffset }) {
            const bytes = Buffer.allocUnsafe(Math.min(head.payloadLength, MAX_PAYLOAD_BYTES));
            if (disk.read(fd, bytes, 0, bytes.length, payloadOffset) < head.payloadLength) return undefined;
            return payloadChecksum(bytes) === head.payloadChecksum ? bytes : undefined;
        },
    };
}
