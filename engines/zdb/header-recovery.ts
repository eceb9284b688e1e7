import type { DiskReader } from "./disk.ts";
import { MAX_KEY_BYTES } from "./limits.ts";
import { RECORD_HEAD_BYTES, RECORD_MARK, RECORD_MARK_OFFSET, type RecordHead, readHead, recordLength } from "./record.ts";
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from "./segment-header.ts";

const LONGEST_HEAD_BYTES = RECORD_HEAD_BYTES + MAX_KEY_BYTES;
/** Of CRC-32, reflected. */
const POLYNOMIAL = 0xedb88320;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? POLYNOMIAL : 0);
    return value;
});
/** Which entry of the table has this highest byte. */
const BY_HIGHEST_BYTE = Uint8Array.from({ length: 256 }, (_, highest) => TABLE.findIndex((value) => value >>> 24 === highest));

/**
 * The header of a segment whose own is damaged: the one that differs from it in one bit and has a right checksum, or one made up from its
 * first two records, which must agree on the salt. `epoch` is that of the segments beside it.
 */
export function recoverHeader(disk: DiskReader, fd: number, number: number, epoch: number): SegmentHeader | undefined {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    if (disk.read(fd, bytes, 0, bytes.length, 0) < bytes.length) return undefined;
    const corrected = correctOneBit(bytes);
    if (corrected) return corrected.number === number ? corrected : undefined;
    const found = firstRecord(disk, fd);
    if (!found) return undefined;
    const { salt, head } = found;
    return {
        epoch,
        number,
        // Whether numbers may be missing in it nobody knows: those that are count as lost.
        generation: 0,
        firstLsn: head.lsn,
        lastLsn: 0,
        // No more ids than records were given out before.
        nextId: head.lsn - 1,
        createdMs: 0,
        salt,
        limitBytes: disk.size(fd),
        cleanLsn: 0,
        keptBytes: 0,
        historyBytes: 0,
    };
}

function correctOneBit(bytes: Buffer): SegmentHeader | undefined {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
        const at = Math.floor(bit / 8);
        const before = bytes[at] ?? 0;
        bytes[at] = before ^ (1 << (bit % 8));
        const header = decodeSegmentHeader(bytes);
        bytes[at] = before;
        if (!("problem" in header)) return header;
    }
    return undefined;
}

/** The first record of a segment, and the salt that it and the one behind it have in common. */
function firstRecord(disk: DiskReader, fd: number): { readonly salt: number; readonly head: RecordHead } | undefined {
    const first = headBytes(disk, fd, SEGMENT_HEADER_BYTES);
    if (first.length < RECORD_HEAD_BYTES || first[RECORD_MARK_OFFSET] !== RECORD_MARK) return undefined;
    const keyEnd = RECORD_HEAD_BYTES + first.readUInt8(38);
    if (keyEnd > first.length) return undefined;
    const salt = startOfChecksum(first.subarray(4, keyEnd), first.readUInt32LE(0));
    const head = readHead(first, 0, first.length, salt);
    if (!head) return undefined;
    const second = headBytes(disk, fd, SEGMENT_HEADER_BYTES + recordLength(head));
    const following = readHead(second, 0, second.length, salt);
    return following && following.lsn > head.lsn ? { salt, head } : undefined;
}

function headBytes(disk: DiskReader, fd: number, offset: number): Buffer {
    const bytes = Buffer.alloc(LONGEST_HEAD_BYTES);
    return bytes.subarray(0, disk.read(fd, bytes, 0, bytes.length, offset));
}

/** What `crc32(bytes, start)` must have started from to come to `end`: the checksum can be undone byte by byte. */
export function startOfChecksum(bytes: Buffer, end: number): number {
    let register = ~end >>> 0;
    for (let at = bytes.length - 1; at >= 0; at--) {
        const entry = BY_HIGHEST_BYTE[register >>> 24] ?? 0;
        register = (((register ^ (TABLE[entry] ?? 0)) << 8) | (entry ^ (bytes[at] ?? 0))) >>> 0;
    }
    return ~register >>> 0;
}
