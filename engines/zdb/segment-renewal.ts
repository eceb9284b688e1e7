import * as path from "node:path";
import { crc32 } from "node:zlib";
import type { Disk } from "./disk.ts";
import { READ_STEP_BYTES } from "./limits.ts";
import type { Segment } from "./segment.ts";
import { encodeSegmentHeader, segmentName, unfinishedName } from "./segment-header.ts";
import { type ScannedRecord, SegmentScanner } from "./segment-scanner.ts";
import { Slices } from "./slices.ts";

export interface RenewalParts {
    readonly disk: Disk;
    readonly directory: string;
    readonly segment: Segment;
    /** Of the file as it is. */
    readonly fd: number;
    /** After this error of a write: frees room on a full disk; false when that is not what is wrong, or there is none. */
    giveUpReserve(error: unknown): boolean;
}

/** What was written cannot be read any more. */
export class UnreadableTail extends Error {}

/**
 * Writes a segment to another file that takes its name, durably: after a failed sync nobody knows which of its bytes are on the disk, and
 * another sync of the same file may say yes without having written them. Every record is verified in the new file, which is the same to the
 * byte. Returns its descriptor. Throws what the disk throws, or an UnreadableTail; the segment is as it was then.
 */
export async function renewSegment(parts: RenewalParts): Promise<number> {
    const { disk, directory, segment } = parts;
    const { number } = segment.header;
    const draft = path.join(directory, unfinishedName(number));
    disk.remove(draft);
    const fd = disk.create(draft);
    try {
        await copy(parts, fd);
        await verify(parts, fd);
        await disk.sync(fd);
        disk.rename(draft, path.join(directory, segmentName(number)));
        await disk.syncDirectoryLater(directory);
        return fd;
    } catch (error) {
        disk.close(fd);
        disk.remove(draft);
        throw error;
    }
}

async function copy({ disk, segment, fd, giveUpReserve }: RenewalParts, target: number): Promise<void> {
    const { endOffset } = segment;
    const piece = Buffer.allocUnsafe(Math.min(READ_STEP_BYTES, endOffset));
    for (let at = 0; at < endOffset; at += piece.length) {
        const length = Math.min(piece.length, endOffset - at);
        if ((await disk.readLater(fd, piece, 0, length, at)) < length) throw new UnreadableTail();
        for (;;) {
            try {
                disk.write(target, piece, 0, length, at);
                break;
            } catch (error) {
                if (!giveUpReserve(error)) throw error;
            }
        }
    }
}

async function verify({ disk, segment }: RenewalParts, fd: number): Promise<void> {
    const { header, endOffset, lastLsn } = segment;
    const expected = encodeSegmentHeader(header);
    const found = Buffer.alloc(expected.length);
    if (disk.read(fd, found, 0, found.length, 0) < found.length || !found.equals(expected)) throw new UnreadableTail();
    const scanner = new SegmentScanner(disk, fd, endOffset, header);
    const slices = new Slices();
    for (let record = scanner.next(); record; record = scanner.next()) {
        if (!(await hasSoundPayload(disk, fd, record, slices))) throw new UnreadableTail();
        await slices.next();
    }
    if (scanner.damage.length > 0 || scanner.validEnd !== endOffset || scanner.expectedLsn !== lastLsn + 1) throw new UnreadableTail();
}

async function hasSoundPayload(disk: Disk, fd: number, { head, payloadOffset }: ScannedRecord, slices: Slices): Promise<boolean> {
    const piece = Buffer.allocUnsafe(Math.min(READ_STEP_BYTES, head.payloadLength));
    let checksum = 0;
    for (let at = 0; at < head.payloadLength; at += piece.length) {
        const length = Math.min(piece.length, head.payloadLength - at);
        if (disk.read(fd, piece, 0, length, payloadOffset + at) < length) return false;
        checksum = crc32(piece.subarray(0, length), checksum);
        await slices.next();
    }
    return checksum === head.payloadChecksum;
}
