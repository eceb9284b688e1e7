import type { Disk } from "./disk.ts";
import { RECORD_HEAD_BYTES, type RecordHead, readHead, readUint64, uncheckedHead } from "./record.ts";
import type { Segment } from "./segment.ts";
import { type ScannedRecord, SegmentScanner } from "./segment-scanner.ts";

/** An entry of a block: offset of the record in its segment, its head as it stands there, its key. */
const ENTRY_OFFSET_BYTES = 4;
const ENTRY_FIXED_BYTES = ENTRY_OFFSET_BYTES + RECORD_HEAD_BYTES;
/** Of the heads between two marks, as a rule. */
const FIRST_BLOCK_BYTES = 8 * 1024;

/** Records of a segment that follow each other, without their payloads. */
export interface RecordBlocks {
    readonly count: number;
    /** The last block whose first record is not above this LSN; the first one when there is none. */
    find(lsn: number): number;
    /** Entries of a block. Throws what the disk throws, or a DamagedBlock. */
    read(place: number): Buffer;
}

/** What should be a block is none. */
export class DamagedBlock extends Error {
    readonly code = "EBADMSG";
}

export function entryBytes(keyLength: number): number {
    return ENTRY_FIXED_BYTES + keyLength;
}

/** Adds an entry to a block, of a record whose head and key stand in `source`, and returns its length. */
export function writeEntry(target: Buffer, at: number, offset: number, source: Buffer, from: number, to: number): number {
    target.writeUInt32LE(offset, at);
    return ENTRY_OFFSET_BYTES + source.copy(target, at + ENTRY_OFFSET_BYTES, from, to);
}

/** Walks the entries of a block. Fields are read where they stand, so that stepping over a record makes nothing. */
export class RecordCursor {
    readonly block: Buffer;
    private at = 0;

    constructor(block: Buffer) {
        this.block = block;
    }

    get isAtEnd(): boolean {
        return this.at >= this.block.length;
    }

    step(): void {
        this.at += ENTRY_FIXED_BYTES + this.keyLength;
    }

    /** Beginnings of all entries, for walking backwards with `moveTo`. */
    static places(block: Buffer): number[] {
        const places: number[] = [];
        for (const cursor = new RecordCursor(block); !cursor.isAtEnd; cursor.step()) places.push(cursor.at);
        return places;
    }

    moveTo(place: number): void {
        this.at = place;
    }

    /** Of the record in its segment. */
    get offset(): number {
        return this.block.readUInt32LE(this.at);
    }

    get lsn(): number {
        return readUint64(this.block, this.at + ENTRY_OFFSET_BYTES + 8);
    }

    get previousLsn(): number {
        return readUint64(this.block, this.at + ENTRY_OFFSET_BYTES + 16);
    }

    get payloadLength(): number {
        return this.block.readUInt32LE(this.at + ENTRY_OFFSET_BYTES + 24);
    }

    get timestamp(): number {
        return this.block.readUInt32LE(this.at + ENTRY_OFFSET_BYTES + 28);
    }

    get kind(): number {
        return this.block.readUInt8(this.at + ENTRY_OFFSET_BYTES + 36);
    }

    get keyLength(): number {
        return this.block.readUInt8(this.at + ENTRY_OFFSET_BYTES + 38);
    }

    get key(): Buffer {
        const start = this.keyStart;
        return this.block.subarray(start, start + this.keyLength);
    }

    /** Where the key begins in the block. */
    get keyStart(): number {
        return this.at + ENTRY_FIXED_BYTES;
    }

    /** The key, good until the next one of its length is asked for. */
    get passingKey(): Buffer {
        const key = keyBuffer(this.keyLength);
        for (let place = 0, from = this.keyStart; place < key.length; place++) key[place] = this.block[from + place] ?? 0;
        return key;
    }

    /** What the record takes in its segment. */
    get bytes(): number {
        return RECORD_HEAD_BYTES + this.keyLength + this.payloadLength;
    }

    /** Where the head of the record stands in the block, followed by the key. */
    get headStart(): number {
        return this.at + ENTRY_OFFSET_BYTES;
    }

    /** The record, of a block that was checked as a whole; its key is good until the next one is asked for. */
    get record(): ScannedRecord {
        const { block, offset, passingKey: key } = this;
        const head = uncheckedHead(block, this.at + ENTRY_OFFSET_BYTES);
        return { head, key, offset, payloadOffset: offset + RECORD_HEAD_BYTES + head.keyLength };
    }

    /** The whole head, checked against the segment's salt. */
    head(salt: number): RecordHead | undefined {
        return readHead(this.block, this.at + ENTRY_OFFSET_BYTES, this.block.length, salt);
    }
}

const keyBuffers: Buffer[] = [];

/** One for each length: making a view for each of millions of keys takes longer than copying them. */
function keyBuffer(length: number): Buffer {
    let buffer = keyBuffers[length];
    if (!buffer) {
        buffer = Buffer.alloc(length);
        keyBuffers[length] = buffer;
    }
    return buffer;
}

/** The records of a segment that has no sidecar, read from the segment itself: as many blocks as there are marks. */
export class SegmentBlocks implements RecordBlocks {
    private readonly disk: Disk;
    private readonly fd: number;
    private readonly segment: Segment;

    constructor(disk: Disk, fd: number, segment: Segment) {
        this.disk = disk;
        this.fd = fd;
        this.segment = segment;
    }

    get count(): number {
        return this.segment.marks?.count ?? 0;
    }

    find(lsn: number): number {
        return this.segment.marks?.find(lsn) ?? 0;
    }

    read(place: number): Buffer {
        const { marks, header, endOffset } = this.segment;
        if (!marks) throw new DamagedBlock("the segment has no marks");
        const end = place + 1 < marks.count ? marks.offset(place + 1) : endOffset;
        const scanner = new SegmentScanner(this.disk, this.fd, end, header, marks.lsn(place), marks.offset(place));
        let block = Buffer.allocUnsafe(FIRST_BLOCK_BYTES);
        let used = 0;
        for (let record = scanner.next(); record; record = scanner.next()) {
            const length = entryBytes(record.head.keyLength);
            if (used + length > block.length) block = Buffer.concat([block.subarray(0, used)], block.length * 2);
            const { bytes, from, to } = scanner.frame(record);
            used += writeEntry(block, used, record.offset, bytes, from, to);
        }
        return block.subarray(0, used);
    }
}
