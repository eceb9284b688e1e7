import * as path from "node:path";
import { crc32c } from "./crc32c.ts";
import type { DiskReader } from "./disk.ts";
import {
    dataHeaderProblem,
    decodeOriginalHead,
    ORIGINAL_DATA_HEADER_BYTES,
    ORIGINAL_MAX_PAYLOAD_BYTES,
    ORIGINAL_RECORD_HEAD_BYTES,
    type OriginalHead,
    originalRecordBytes,
} from "./original-format.ts";
import { segmentNumber } from "./segment-header.ts";

const LONGEST_HEAD_BYTES = ORIGINAL_RECORD_HEAD_BYTES + 255;
/** Holds the largest record, and much more than most. */
const WINDOW_BYTES = LONGEST_HEAD_BYTES + ORIGINAL_MAX_PAYLOAD_BYTES;

/** What is in a data file of the original, one after the other. Buffers are good until the next one. */
export type OriginalRecord =
    | { readonly kind: "value"; readonly place: OriginalPlace; readonly key: Buffer; readonly payload: Buffer; readonly timestamp: number }
    | { readonly kind: "deletion"; readonly place: OriginalPlace; readonly key: Buffer; readonly timestamp: number }
    /** Its payload is not what was written, or was taken away by a compaction. */
    | { readonly kind: "spoilt"; readonly place: OriginalPlace; readonly key: Buffer; readonly isTruncated: boolean }
    /** Bytes that are no record at all, up to the next one. */
    | { readonly kind: "unreadable"; readonly place: OriginalPlace; readonly bytes: number; readonly why: string };

export interface OriginalPlace {
    /** Number of the data file. */
    readonly file: number;
    readonly offset: number;
}

/** The data files of one namespace of the original. */
export class OriginalLog {
    private readonly disk: DiskReader;
    private readonly directory: string;
    private readonly window = Buffer.allocUnsafeSlow(WINDOW_BYTES);
    private windowStart = 0;
    private windowEnd = 0;
    private openFile: { readonly number: number; readonly fd: number; readonly size: number } | undefined;

    constructor(disk: DiskReader, directory: string) {
        this.disk = disk;
        this.directory = directory;
    }

    /** Numbers of the files from 0 to the last one that is there. */
    get numbers(): { readonly present: readonly number[]; readonly missing: readonly number[] } {
        const present = this.disk.list(this.directory).flatMap((name) => segmentNumber(name) ?? []);
        present.sort((a, b) => a - b);
        const all = Array.from({ length: (present.at(-1) ?? -1) + 1 }, (_, number) => number);
        return { present, missing: all.filter((number) => !present.includes(number)) };
    }

    *records(file: number): Generator<OriginalRecord> {
        const { size } = this.open(file);
        const problem = dataHeaderProblem(this.bytes(0, ORIGINAL_DATA_HEADER_BYTES));
        if (problem !== undefined) {
            yield { kind: "unreadable", place: { file, offset: 0 }, bytes: size, why: problem };
            return;
        }
        for (let offset = ORIGINAL_DATA_HEADER_BYTES; offset < size; ) {
            const record = this.recordAt(file, offset);
            yield record;
            // Whoever was given it may have read elsewhere.
            this.open(file);
            offset += record.kind === "unreadable" ? record.bytes : this.lengthAt(offset);
        }
    }

    /** The record that begins there. */
    recordAt(file: number, offset: number): OriginalRecord {
        const { size } = this.open(file);
        const place = { file, offset };
        const head = this.headAt(offset);
        if (!head || offset + originalRecordBytes(head) > size) return this.unreadable(place, size);
        const key = this.key(offset, head);
        const { isDeletion, isTruncated, timestamp } = head;
        if (isDeletion) return { kind: "deletion", place, key, timestamp };
        const payload = this.payload(offset, head);
        if (!isTruncated && crc32c(payload) === head.checksum) return { kind: "value", place, key, payload, timestamp };
        // The head has no checksum: the record behind it tells whether its lengths are right.
        const end = offset + originalRecordBytes(head);
        const isFramed = end === size || this.headAt(end)?.previous === offset;
        return isFramed ? { kind: "spoilt", place, key, isTruncated } : this.unreadable(place, size);
    }

    close(): void {
        if (this.openFile) this.disk.close(this.openFile.fd);
        this.openFile = undefined;
    }

    private unreadable(place: OriginalPlace, size: number): OriginalRecord {
        const next = this.searchFrom(place.offset, size);
        const why = next === size ? "an unfinished or unreadable record at the end" : "an unreadable record";
        return { kind: "unreadable", place, bytes: next - place.offset, why };
    }

    /** Where the next record begins that names one from `offset` on as the one before it, and has the payload it says; `size` for nowhere. */
    private searchFrom(offset: number, size: number): number {
        for (let at = offset + 1; at + ORIGINAL_RECORD_HEAD_BYTES <= size; at++) {
            const previous = this.bytes(at + 5, 4).readUInt32LE(0);
            if (previous < offset || previous >= at) continue;
            const head = this.headAt(at);
            if (!head || at + originalRecordBytes(head) > size) continue;
            const isProven = head.payloadLength > 0 && crc32c(this.payload(at, head)) === head.checksum;
            if (isProven || previous === offset) return at;
        }
        return size;
    }

    private headAt(offset: number): OriginalHead | undefined {
        return decodeOriginalHead(this.bytes(offset, ORIGINAL_RECORD_HEAD_BYTES), 0);
    }

    private lengthAt(offset: number): number {
        const head = this.headAt(offset);
        if (!head) throw new Error("a record changed while it was read");
        return originalRecordBytes(head);
    }

    private key(offset: number, { keyLength }: OriginalHead): Buffer {
        return Buffer.from(this.bytes(offset + ORIGINAL_RECORD_HEAD_BYTES, keyLength));
    }

    private payload(offset: number, { keyLength, payloadLength }: OriginalHead): Buffer {
        return Buffer.from(this.bytes(offset + ORIGINAL_RECORD_HEAD_BYTES + keyLength, payloadLength));
    }

    /** These bytes of the open file, fewer at its end; good until the next call. */
    private bytes(offset: number, length: number): Buffer {
        const { fd, size } = this.openFile ?? { fd: -1, size: 0 };
        const end = Math.min(offset + length, size);
        if (offset < this.windowStart || end > this.windowEnd) {
            this.windowStart = offset;
            this.windowEnd = offset + this.disk.read(fd, this.window, 0, Math.min(WINDOW_BYTES, Math.max(0, size - offset)), offset);
        }
        return this.window.subarray(offset - this.windowStart, Math.max(0, Math.min(end, this.windowEnd) - this.windowStart));
    }

    private open(number: number): { readonly size: number } {
        if (this.openFile?.number === number) return this.openFile;
        this.close();
        const fd = this.disk.openForRead(path.join(this.directory, `d${number}`));
        this.openFile = { number, fd, size: this.disk.size(fd) };
        [this.windowStart, this.windowEnd] = [0, 0];
        return this.openFile;
    }
}
