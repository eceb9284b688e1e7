/** Files of Zero-DB 2.x, as `import` reads them. Numbers are little-endian; nothing but payloads has a checksum. */
export const ORIGINAL_DATA_HEADER_BYTES = 28;
export const ORIGINAL_RECORD_HEAD_BYTES = 18;
export const ORIGINAL_MAX_PAYLOAD_BYTES = 8 * 1024 * 1024;

const INDEX_HEADER_BYTES = 29;
const DATA_VERSION = 3;
const INDEX_VERSION = 4;
const DESCRIPTOR_VERSION = 1;
const DESCRIPTOR_BYTES = 15;
/** In sequential mode every entry of an index file has a key of 8 bytes, and so the same length. */
const SEQUENTIAL_ENTRY_BYTES = 42;

const FLAGS = { deleted: 1, truncated: 2 } as const;
const PUBLIC = 1;
const WORM = 2;

export interface OriginalHead {
    readonly keyLength: number;
    readonly payloadLength: number;
    /** Where the record before begins; that of the first one of a file may be in the file before. */
    readonly previous: number;
    /** CRC-32C as the original makes it, of the payload. */
    readonly checksum: number;
    readonly isDeletion: boolean;
    /** Its payload was taken away by the original's compaction. */
    readonly isTruncated: boolean;
    readonly timestamp: number;
}

/** Why these bytes are no header of a data file of this version; undefined when they are. */
export function dataHeaderProblem(bytes: Buffer): string | undefined {
    if (bytes.length < ORIGINAL_DATA_HEADER_BYTES || bytes.toString("latin1", 0, 4) !== "DAT0") return "it is no data file of Zero-DB";
    const version = bytes.readUInt32LE(4);
    return version === DATA_VERSION ? undefined : `it has version ${version}, not ${DATA_VERSION}: start Zero-DB 2.x on it once`;
}

/** The head of a record, or undefined when no record begins like this. */
export function decodeOriginalHead(bytes: Buffer, at: number): OriginalHead | undefined {
    if (at + ORIGINAL_RECORD_HEAD_BYTES > bytes.length) return undefined;
    const flags = bytes.readUInt8(at + 13);
    const head = {
        keyLength: bytes.readUInt8(at),
        payloadLength: bytes.readUInt32LE(at + 1),
        previous: bytes.readUInt32LE(at + 5),
        checksum: bytes.readUInt32LE(at + 9),
        isDeletion: (flags & FLAGS.deleted) !== 0,
        isTruncated: (flags & FLAGS.truncated) !== 0,
        timestamp: bytes.readUInt32LE(at + 14),
    };
    const isLikely = head.keyLength > 0 && head.payloadLength <= ORIGINAL_MAX_PAYLOAD_BYTES && flags <= 3;
    return isLikely && !(head.isDeletion && head.payloadLength > 0) ? head : undefined;
}

export const originalRecordBytes = ({ keyLength, payloadLength }: OriginalHead): number =>
    ORIGINAL_RECORD_HEAD_BYTES + keyLength + payloadLength;

/** The mode that an index file says; undefined when it is none of this version. */
export function originalMode(bytes: Buffer): "user" | "seq" | undefined {
    if (bytes.length < INDEX_HEADER_BYTES || bytes.toString("latin1", 0, 4) !== "IDX0") return undefined;
    if (bytes.readUInt32LE(4) !== INDEX_VERSION) return undefined;
    return bytes[28] === 0 ? "user" : "seq";
}

/** How many ids an index file of sequential mode has given out. */
export const idsOfIndexFile = (bytes: number): number => Math.max(0, Math.floor((bytes - INDEX_HEADER_BYTES) / SEQUENTIAL_ENTRY_BYTES));

export interface OriginalDescriptor {
    readonly name: string;
    readonly password: string;
    readonly maxsize: number;
    readonly isPublic: boolean;
    readonly isWorm: boolean;
}

/** The file `zdb-namespace`; undefined when these bytes are none. */
export function decodeDescriptor(bytes: Buffer): OriginalDescriptor | undefined {
    if (bytes.length < DESCRIPTOR_BYTES || bytes.readUInt32LE(0) !== DESCRIPTOR_VERSION) return undefined;
    const nameEnd = DESCRIPTOR_BYTES + bytes.readUInt8(4);
    const passwordEnd = nameEnd + bytes.readUInt8(5);
    const maxsize = bytes.readBigUInt64LE(6);
    if (passwordEnd > bytes.length || maxsize > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
    const flags = bytes.readUInt8(14);
    return {
        name: bytes.toString("latin1", DESCRIPTOR_BYTES, nameEnd),
        password: bytes.toString("latin1", nameEnd, passwordEnd),
        maxsize: Number(maxsize),
        isPublic: (flags & PUBLIC) !== 0,
        isWorm: (flags & WORM) !== 0,
    };
}
