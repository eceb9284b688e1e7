import { ByteReader, ByteWriter, FormatError } from "./bytes.ts";

/** An object, by the keyed hash of its name: 32 hex digits. */
export type ObjectId = string & { readonly __object: true };
/** A stripe: 24 hex digits, its writer and a serial number. */
export type StripeId = string & { readonly __stripe: true };
/** Who writes: 16 hex digits, epoch and tag. Later epochs sort later. */
export type WriterId = string & { readonly __writer: true };

/** In a layout: the shard has no place yet; the shard is empty and needs none. Backends have ids above. */
export const MISSING = 0;
export const EMPTY = 1;

/** Where one sealed chunk lies in its stripe. */
export interface ChunkPlace {
    readonly shard: number;
    readonly offset: number;
    readonly storedBytes: number;
    /** 0: as it is, 1: zstd. */
    readonly codec: number;
}

export interface StripeRecord {
    readonly type: "stripe";
    readonly id: StripeId;
    readonly layout: number;
    readonly createdMs: number;
    /** Of each data shard; 0: not stored, and never missing. */
    readonly lengths: readonly number[];
    /** By shard index; undefined where the shard is empty. */
    readonly macs: readonly (Buffer | undefined)[];
}

export interface ExtentRecord {
    readonly type: "extent";
    readonly object: ObjectId;
    readonly generation: number;
    readonly firstChunk: number;
    readonly stripe: StripeId;
    readonly chunks: readonly ChunkPlace[];
}

export interface PutRecord {
    readonly type: "put";
    readonly object: ObjectId;
    readonly generation: number;
    readonly name: string;
    readonly sizeBytes: number;
    readonly createdMs: number;
    readonly wrapping: number;
    readonly wrappedKey: Buffer;
}

export interface LayoutRecord {
    readonly type: "layout";
    readonly id: number;
    readonly dataShards: number;
    readonly parityShards: number;
    /** Backend of each shard, `MISSING` or `EMPTY`. */
    readonly backends: readonly number[];
    /** Under which number each shard was put there: part of its key. 0: where it was first written. */
    readonly moves: readonly number[];
}

interface Snapshot<T> {
    readonly type: T;
    /** Of the batch whose state the pages are. */
    readonly sequence: number;
    readonly writer: WriterId;
    /** Their hashes. */
    readonly pages: readonly Buffer[];
}

/** The second kind when batches were committed while its pages were written: the chain goes on behind `sequence`, not behind this record. */
export type SnapshotRecord = Snapshot<"snapshot"> | Snapshot<"snapshot-beside">;

/** What the journal and the pages of snapshots are made of; meanings in FORMAT.md. */
export type MetadataRecord =
    | { readonly type: "begin"; readonly writer: WriterId; readonly timeMs: number }
    | { readonly type: "config"; readonly writer: WriterId; readonly generation: number; readonly sha256: Buffer }
    | LayoutRecord
    | StripeRecord
    | ExtentRecord
    | PutRecord
    | { readonly type: "remove"; readonly object: ObjectId; readonly generation: number; readonly name: string; readonly createdMs: number }
    | { readonly type: "forget"; readonly object: ObjectId; readonly generation: number }
    | { readonly type: "relayout"; readonly stripe: StripeId; readonly layout: number }
    | { readonly type: "free"; readonly stripe: StripeId }
    | SnapshotRecord
    | {
          readonly type: "rewrap";
          readonly object: ObjectId;
          readonly generation: number;
          readonly wrapping: number;
          readonly wrappedKey: Buffer;
      };

type RecordType = MetadataRecord["type"];
type RecordOf<T extends RecordType> = Extract<MetadataRecord, { type: T }>;

export function isSnapshot(record: MetadataRecord): record is SnapshotRecord {
    return record.type === "snapshot" || record.type === "snapshot-beside";
}

const OBJECT_BYTES = 16;
const STRIPE_ID_BYTES = 12;
const WRITER_BYTES = 8;
const HASH_BYTES = 32;
const MAC_BYTES = 16;
export const WRAPPED_KEY_BYTES = 60;

const CODES = {
    begin: 1,
    config: 2,
    layout: 3,
    stripe: 4,
    extent: 5,
    put: 6,
    remove: 7,
    forget: 8,
    relayout: 9,
    free: 10,
    snapshot: 11,
    rewrap: 12,
    "snapshot-beside": 13,
} satisfies Record<RecordType, number>;

interface Coding<T extends RecordType> {
    write(record: RecordOf<T>, out: ByteWriter): void;
    read(from: ByteReader): RecordOf<T>;
}

const object = (from: ByteReader) => from.hex(OBJECT_BYTES) as ObjectId;
const stripe = (from: ByteReader) => from.hex(STRIPE_ID_BYTES) as StripeId;
const writer = (from: ByteReader) => from.hex(WRITER_BYTES) as WriterId;

const CODINGS: { readonly [T in RecordType]: Coding<T> } = {
    begin: {
        write: (record, out) => out.hex(record.writer).varint(record.timeMs),
        read: (from) => ({ type: "begin", writer: writer(from), timeMs: from.varint() }),
    },
    config: {
        write: (record, out) => out.hex(record.writer).varint(record.generation).raw(record.sha256),
        read: (from) => ({ type: "config", writer: writer(from), generation: from.varint(), sha256: from.raw(HASH_BYTES) }),
    },
    layout: {
        write(record, out) {
            out.varint(record.id).byte(record.dataShards).byte(record.parityShards);
            for (const backend of record.backends) out.varint(backend);
            if (record.moves.some((move) => move !== 0)) for (const move of record.moves) out.varint(move);
        },
        read(from) {
            const id = from.varint();
            const dataShards = from.byte();
            const parityShards = from.byte();
            const backends = from.list(dataShards + parityShards, () => from.varint());
            const moves = from.isAtEnd ? backends.map(() => 0) : from.list(backends.length, () => from.varint());
            return { type: "layout", id, dataShards, parityShards, backends, moves };
        },
    },
    stripe: {
        write(record, out) {
            out.hex(record.id).varint(record.layout).varint(record.createdMs);
            out.byte(record.lengths.length).byte(record.macs.length);
            for (const length of record.lengths) out.varint(length);
            for (const mac of record.macs) if (mac) out.raw(mac);
        },
        read(from) {
            const id = stripe(from);
            const layout = from.varint();
            const createdMs = from.varint();
            const dataShards = from.byte();
            const shards = from.byte();
            if (shards < dataShards) throw new FormatError("a stripe has fewer shards than data shards");
            const lengths = from.list(dataShards, () => from.varint());
            const macs = Array.from({ length: shards }, (_, index) => (lengths[index] === 0 ? undefined : from.raw(MAC_BYTES)));
            return { type: "stripe", id, layout, createdMs, lengths, macs };
        },
    },
    extent: {
        write(record, out) {
            out.hex(record.object).varint(record.generation).varint(record.firstChunk).hex(record.stripe);
            writeChunks(record.chunks, out);
        },
        read: (from) => ({
            type: "extent",
            object: object(from),
            generation: from.varint(),
            firstChunk: from.varint(),
            stripe: stripe(from),
            chunks: readChunks(from),
        }),
    },
    put: {
        write(record, out) {
            out.hex(record.object).varint(record.generation).text(record.name).varint(record.sizeBytes).varint(record.createdMs);
            out.varint(record.wrapping).raw(record.wrappedKey);
        },
        read: (from) => ({
            type: "put",
            object: object(from),
            generation: from.varint(),
            name: from.text(),
            sizeBytes: from.varint(),
            createdMs: from.varint(),
            wrapping: from.varint(),
            wrappedKey: from.raw(WRAPPED_KEY_BYTES),
        }),
    },
    remove: {
        write: (record, out) => out.hex(record.object).varint(record.generation).text(record.name).varint(record.createdMs),
        read: (from) => ({
            type: "remove",
            object: object(from),
            generation: from.varint(),
            name: from.text(),
            createdMs: from.varint(),
        }),
    },
    forget: {
        write: (record, out) => out.hex(record.object).varint(record.generation),
        read: (from) => ({ type: "forget", object: object(from), generation: from.varint() }),
    },
    relayout: {
        write: (record, out) => out.hex(record.stripe).varint(record.layout),
        read: (from) => ({ type: "relayout", stripe: stripe(from), layout: from.varint() }),
    },
    free: {
        write: (record, out) => out.hex(record.stripe),
        read: (from) => ({ type: "free", stripe: stripe(from) }),
    },
    snapshot: snapshotCoding("snapshot"),
    "snapshot-beside": snapshotCoding("snapshot-beside"),
    rewrap: {
        write: (record, out) => out.hex(record.object).varint(record.generation).varint(record.wrapping).raw(record.wrappedKey),
        read: (from) => ({
            type: "rewrap",
            object: object(from),
            generation: from.varint(),
            wrapping: from.varint(),
            wrappedKey: from.raw(WRAPPED_KEY_BYTES),
        }),
    },
};

function snapshotCoding<T extends SnapshotRecord["type"]>(type: T) {
    return {
        write(record: Snapshot<T>, out: ByteWriter): void {
            out.varint(record.sequence).hex(record.writer).varint(record.pages.length);
            for (const page of record.pages) out.raw(page);
        },
        read: (from: ByteReader): Snapshot<T> => ({
            type,
            sequence: from.varint(),
            writer: writer(from),
            pages: from.list(from.varint(), () => from.raw(HASH_BYTES)),
        }),
    };
}

const TYPES = new Map(Object.entries(CODES).map(([type, code]) => [code, type as RecordType]));

export function encodeRecord(record: MetadataRecord): Buffer {
    const body = new ByteWriter();
    // Each coding takes its own type of record, which the table cannot tell the compiler.
    (CODINGS[record.type] as Coding<RecordType>).write(record as never, body);
    const bytes = body.bytes();
    return new ByteWriter().byte(CODES[record.type]).varint(bytes.length).raw(bytes).bytes();
}

/** Throws a `FormatError` for whatever is no list of whole records. */
export function decodeRecords(bytes: Buffer): MetadataRecord[] {
    const from = new ByteReader(bytes);
    const records: MetadataRecord[] = [];
    while (!from.isAtEnd) {
        const code = from.byte();
        const type = TYPES.get(code);
        if (type === undefined) throw new FormatError(`record type ${code} is not known to this version`);
        const body = new ByteReader(from.raw(from.varint()));
        records.push(CODINGS[type].read(body));
        if (!body.isAtEnd) throw new FormatError(`a ${type} record is longer than its fields`);
    }
    return records;
}

/** Also how the view keeps them. */
export function writeChunks(chunks: readonly ChunkPlace[], out: ByteWriter): ByteWriter {
    out.varint(chunks.length);
    for (const { shard, offset, storedBytes, codec } of chunks) out.byte(shard).varint(offset).varint(storedBytes).byte(codec);
    return out;
}

export function readChunks(from: ByteReader): ChunkPlace[] {
    return from.list(from.varint(), () => ({ shard: from.byte(), offset: from.varint(), storedBytes: from.varint(), codec: from.byte() }));
}
