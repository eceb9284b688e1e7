import { crc32 } from "node:zlib";
import { errorCode } from "./disk.ts";
import { MAX_KEY_BYTES, SCRUB_STEP_BYTES } from "./limits.ts";
import type { Namespace } from "./namespace.ts";
import { RECORD_HEAD_BYTES, RECORD_KINDS, type RecordHead, readHead, recordLength } from "./record.ts";
import { DamagedBlock, RecordCursor } from "./record-blocks.ts";
import type { Segment } from "./segment.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-header.ts";
import { Slices } from "./slices.ts";

const LONGEST_HEAD_BYTES = RECORD_HEAD_BYTES + MAX_KEY_BYTES;

export interface DamagedRecord {
    readonly offset: number;
    /** undefined when nothing tells. */
    readonly lsn: number | undefined;
    readonly why: string;
    /** A client that asks for its key hears an error; unknown counts as that. */
    readonly isLive: boolean;
}

export interface ScrubbedSegment {
    readonly namespace: Namespace;
    readonly segment: Segment;
    /** Nobody wants to know any more. */
    isOver(): boolean;
    /** So many bytes were read; resolves when more may be. */
    read(bytes: number): Promise<void>;
    found(record: DamagedRecord): void;
}

/** Where a record that cannot be read ends, as its sidecar tells it. */
interface ListedRecord {
    readonly lsn: number;
    readonly key: Buffer;
    readonly end: number;
}

/** Compares every record of a closed segment with its checksums, in pieces that are read on the thread pool. Changes nothing. */
export async function scrubSegment(parts: ScrubbedSegment): Promise<void> {
    const { namespace, segment } = parts;
    const reader = new SegmentReader(parts);
    const slices = new Slices();
    let offset = SEGMENT_HEADER_BYTES;
    while (offset < segment.endOffset && !parts.isOver()) {
        const head = await reader.head(offset);
        if (parts.isOver()) return;
        if (!head) {
            const listed = listedAt(namespace, segment, offset);
            const isLive = !listed || namespace.isLive(listed.key, segment, offset);
            parts.found({ offset, lsn: listed?.lsn, why: reader.failure ?? "its head is damaged", isLive });
            // Without a sidecar nothing tells where the next one begins.
            if (!listed) return;
            offset = listed.end;
            continue;
        }
        const { lsn, kind, keyLength, payloadLength } = head;
        const key = reader.keyOf(offset, head);
        const checksum = await reader.checksum(offset + RECORD_HEAD_BYTES + keyLength, payloadLength);
        if (checksum !== head.payloadChecksum && !parts.isOver()) {
            const isLive = kind === RECORD_KINDS.property || namespace.isLive(key, segment, offset);
            parts.found({ offset, lsn, why: reader.failure ?? "its value does not match its checksum", isLive });
        }
        offset += recordLength(head);
        await slices.next();
    }
}

/** Pieces of one segment, one after the other. */
class SegmentReader {
    private readonly parts: ScrubbedSegment;
    private readonly buffer = Buffer.allocUnsafeSlow(SCRUB_STEP_BYTES);
    private start = 0;
    private filled = 0;
    /** Why the last piece could not be read. */
    failure: string | undefined;

    constructor(parts: ScrubbedSegment) {
        this.parts = parts;
    }

    /** The head of the record there; undefined when there is none, or it cannot be read. */
    async head(offset: number): Promise<RecordHead | undefined> {
        const { segment } = this.parts;
        if (!(await this.load(offset, Math.min(LONGEST_HEAD_BYTES, segment.endOffset - offset)))) return undefined;
        const head = readHead(this.buffer, offset - this.start, this.filled, segment.header.salt);
        return head && offset + recordLength(head) <= segment.endOffset ? head : undefined;
    }

    /** Of the record whose head was asked for last. */
    keyOf(offset: number, { keyLength }: RecordHead): Buffer {
        const from = offset - this.start + RECORD_HEAD_BYTES;
        return Buffer.from(this.buffer.subarray(from, from + keyLength));
    }

    /** Of these bytes; undefined when they cannot be read. */
    async checksum(offset: number, length: number): Promise<number | undefined> {
        let checksum = 0;
        for (let done = 0; done < length; ) {
            const wanted = Math.min(length - done, SCRUB_STEP_BYTES);
            const there = this.start + this.filled - (offset + done);
            const step = there > 0 && offset + done >= this.start ? Math.min(there, wanted) : wanted;
            if (!(await this.load(offset + done, step))) return undefined;
            const from = offset + done - this.start;
            checksum = crc32(this.buffer.subarray(from, from + step), checksum);
            done += step;
        }
        return checksum;
    }

    /** Whether these bytes are in the buffer now. */
    private async load(offset: number, length: number): Promise<boolean> {
        this.failure = undefined;
        if (offset >= this.start && offset + length <= this.start + this.filled) return true;
        const { namespace, segment, isOver, read } = this.parts;
        await read(this.filled);
        this.filled = 0;
        if (isOver()) return false;
        try {
            const { fd, giveBack } = namespace.segments.borrow(segment.id);
            try {
                this.filled = await namespace.disk.readLater(fd, this.buffer, 0, this.buffer.length, offset);
                this.start = offset;
            } finally {
                giveBack();
            }
        } catch (error) {
            this.failure = `it cannot be read (${errorCode(error)})`;
        }
        return this.filled >= length;
    }
}

function listedAt({ sidecars }: Namespace, segment: Segment, offset: number): ListedRecord | undefined {
    try {
        const blocks = segment.marks ? undefined : sidecars.blocksOf(segment);
        for (let place = 0; blocks && place < blocks.count; place++) {
            for (const cursor = new RecordCursor(blocks.read(place)); !cursor.isAtEnd; cursor.step()) {
                if (cursor.offset === offset) return { lsn: cursor.lsn, key: Buffer.from(cursor.key), end: offset + cursor.bytes };
            }
        }
    } catch (error) {
        if (!(error instanceof DamagedBlock) && errorCode(error) === "unknown error") throw error;
    }
    return undefined;
}
