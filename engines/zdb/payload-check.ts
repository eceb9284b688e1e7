import { crc32 } from "node:zlib";
import { type DiskReader, errorCode } from "./disk.ts";
import type { ScannedRecord } from "./segment-scanner.ts";

/** Small payloads that follow each other are read together; a large one is checked in pieces of this size. */
const WINDOW_BYTES = 1024 * 1024;

/** Reads the payloads of one file in order and says whether each is what was written. */
export class PayloadCheck {
    private readonly disk: DiskReader;
    private readonly fd: number;
    private readonly buffer = Buffer.allocUnsafeSlow(WINDOW_BYTES);
    private start = 0;
    private filled = 0;

    constructor(disk: DiskReader, fd: number) {
        this.disk = disk;
        this.fd = fd;
    }

    /** What is wrong with the payload of a record; undefined when it is sound. */
    problem({ head, payloadOffset }: Pick<ScannedRecord, "head" | "payloadOffset">): string | undefined {
        let checksum = 0;
        try {
            for (let done = 0; done < head.payloadLength; ) {
                const piece = this.piece(payloadOffset + done, head.payloadLength - done);
                if (piece.length === 0) return "its value is cut short";
                checksum = crc32(piece, checksum);
                done += piece.length;
            }
        } catch (error) {
            return `its value cannot be read (${errorCode(error)})`;
        }
        return checksum === head.payloadChecksum ? undefined : "its value does not match its checksum";
    }

    /** Some of the next `most` bytes; none at the end of the file. */
    private piece(offset: number, most: number): Buffer {
        const isThere = offset >= this.start && offset < this.start + this.filled;
        const isWhole = isThere && offset + Math.min(most, WINDOW_BYTES) <= this.start + this.filled;
        if (!isWhole) {
            this.filled = 0;
            this.start = offset;
            this.filled = this.disk.read(this.fd, this.buffer, 0, this.buffer.length, offset);
        }
        const from = offset - this.start;
        return this.buffer.subarray(from, Math.min(this.filled, from + most));
    }
}
