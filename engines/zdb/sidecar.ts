import { crc32 } from "node:zlib";
import type { DiskReader } from "./disk.ts";
import { readUint64, writeUint64 } from "./record.ts";
import { DamagedBlock, type RecordBlocks } from "./record-blocks.ts";
import type { Segment } from "./segment.ts";

/** The sidecar of a closed segment: offset, head and key of each of its records, in blocks. Field by field in FORMAT.md. */
export const SIDECAR_HEADER_BYTES = 128;
/** Entries never span blocks. */
export const SIDECAR_BLOCK_BYTES = 64 * 1024;
export const BLOCK_HEADER_BYTES = 16;

const MAGIC = Buffer.from("ZFZDBIDX", "latin1");
const VERSION = 1;
const HEADER_CHECKSUM_OFFSET = SIDECAR_HEADER_BYTES - 4;

/** File name of the sidecar of segment `number`. */
export const sidecarName = (number: number): string => `i${number}`;

export interface SidecarSize {
    readonly blocks: number;
    readonly records: number;
}

export function encodeSidecarHeader({ header, lastLsn, endOffset }: Segment, { blocks, records }: SidecarSize): Buffer {
    const bytes = Buffer.alloc(SIDECAR_HEADER_BYTES);
    MAGIC.copy(bytes, 0);
    bytes.writeUInt32LE(VERSION, 8);
    bytes.writeUInt32LE(SIDECAR_HEADER_BYTES, 12);
    writeUint64(bytes, header.epoch, 16);
    writeUint64(bytes, header.firstLsn, 24);
    writeUint64(bytes, lastLsn, 32);
    writeUint64(bytes, endOffset, 40);
    writeUint64(bytes, records, 48);
    bytes.writeUInt32LE(header.number, 56);
    bytes.writeUInt32LE(header.generation, 60);
    bytes.writeUInt32LE(header.salt, 64);
    bytes.writeUInt32LE(blocks, 68);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, HEADER_CHECKSUM_OFFSET)), HEADER_CHECKSUM_OFFSET);
    return bytes;
}

/** What a sidecar says about its segment. */
export interface SidecarHeader extends SidecarSize {
    readonly epoch: number;
    readonly firstLsn: number;
    readonly lastLsn: number;
    /** End of the last record in the segment. */
    readonly endOffset: number;
    readonly number: number;
    readonly generation: number;
    readonly salt: number;
}

/** The header, or undefined when these bytes are none that this version knows. */
export function decodeSidecarHeader(bytes: Buffer): SidecarHeader | undefined {
    if (bytes.length < SIDECAR_HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
    if (crc32(bytes.subarray(0, HEADER_CHECKSUM_OFFSET)) !== bytes.readUInt32LE(HEADER_CHECKSUM_OFFSET)) return undefined;
    if (bytes.readUInt32LE(8) !== VERSION) return undefined;
    return {
        epoch: readUint64(bytes, 16),
        firstLsn: readUint64(bytes, 24),
        lastLsn: readUint64(bytes, 32),
        endOffset: readUint64(bytes, 40),
        records: readUint64(bytes, 48),
        number: bytes.readUInt32LE(56),
        generation: bytes.readUInt32LE(60),
        salt: bytes.readUInt32LE(64),
        blocks: bytes.readUInt32LE(68),
    };
}

/** Writes the header of a block whose `used` bytes of entries stand behind it. */
export function sealBlock(block: Buffer, used: number, firstLsn: number): void {
    block.writeUInt32LE(used, 4);
    writeUint64(block, firstLsn, 8);
    block.writeUInt32LE(crc32(block.subarray(4, BLOCK_HEADER_BYTES + used)), 0);
}

/** The blocks of a sidecar file. */
export class SidecarBlocks implements RecordBlocks {
    readonly count: number;
    private readonly disk: DiskReader;
    private readonly fd: number;

    constructor(disk: DiskReader, fd: number, header: SidecarHeader) {
        this.disk = disk;
        this.fd = fd;
        this.count = header.blocks;
    }

    find(lsn: number): number {
        let low = 0;
        let high = Math.max(0, this.count - 1);
        while (low < high) {
            const middle = (low + high + 1) >>> 1;
            if (this.firstLsn(middle) <= lsn) low = middle;
            else high = middle - 1;
        }
        return low;
    }

    read(place: number): Buffer {
        const block = Buffer.allocUnsafe(SIDECAR_BLOCK_BYTES);
        const length = this.disk.read(this.fd, block, 0, block.length, blockOffset(place));
        const used = length < BLOCK_HEADER_BYTES ? 0 : block.readUInt32LE(4);
        const end = BLOCK_HEADER_BYTES + used;
        if (used === 0 || end > length || crc32(block.subarray(4, end)) !== block.readUInt32LE(0)) {
            throw new DamagedBlock("a block of a sidecar is damaged");
        }
        return block.subarray(BLOCK_HEADER_BYTES, end);
    }

    /** From the header of a block alone; a wrong one leads to a block that is checked. */
    private firstLsn(place: number): number {
        const bytes = Buffer.allocUnsafe(BLOCK_HEADER_BYTES);
        const length = this.disk.read(this.fd, bytes, 0, bytes.length, blockOffset(place));
        if (length < bytes.length) throw new DamagedBlock("a sidecar is cut short");
        return readUint64(bytes, 8);
    }
}

const blockOffset = (place: number): number => SIDECAR_HEADER_BYTES + place * SIDECAR_BLOCK_BYTES;
