import type { MemoryDisk } from "./memory-disk.ts";

const PUBLIC = 1;
const WORM = 2;
const ALWAYS = 4;

export interface OriginalProperties {
    readonly password?: string;
    readonly maxsize?: number;
    readonly isPublic?: boolean;
    readonly isWorm?: boolean;
}

/** Writes the files of one namespace as Zero-DB 2.0.7 does, byte for byte (`zdb-wire.md` sections 13 and 14). */
export class OriginalStore {
    private readonly mode: "user" | "seq";
    private data: Buffer[] = [];
    private index: Buffer[] = [];
    private readonly dataFiles: Buffer[] = [];
    private readonly indexFiles: Buffer[] = [];
    private previousOffset = 0;
    private previousEntry = 0;
    /** Place of the entry of each live key: index file and offset. */
    private readonly entries = new Map<string, { file: number; offset: number; parentFile: number; parentOffset: number }>();
    nextId = 0;

    constructor(mode: "user" | "seq") {
        this.mode = mode;
        this.beginFiles();
    }

    /** A value, of a new key or another one of it; without a key a new id. The key. */
    set(key: Buffer | undefined, value: Buffer, timestamp: number): Buffer {
        const stored = key ?? idKey(this.nextId);
        const dataOffset = this.dataLength;
        const crc = checksum(value);
        this.append(recordBytes(stored, value, this.previousOffset, crc, 0, timestamp));
        const before = this.entries.get(stored.toString("latin1"));
        if (before && this.mode === "user") this.patch(before.file, before.offset + 13, Buffer.from([1]));
        const parent = before ? { file: before.file, offset: before.offset } : { file: 0, offset: 0 };
        const entryOffset = this.indexLength;
        const fields = { key: stored, dataOffset, length: value.length, timestamp, crc };
        if (before && this.mode === "seq") {
            // A copy of the old entry, flagged deleted, takes an id; the slot of the id gets the new place.
            const old = Buffer.from(this.entryAt(before.file, before.offset, 34 + stored.length));
            old[13] = 1;
            this.index.push(old);
            this.nextId++;
            const slot = this.entryBytes({ ...fields, flags: 0, parentFile: this.dataFiles.length, parentOffset: entryOffset });
            slot.writeUInt32LE(this.entryAt(before.file, before.offset, 13).readUInt32LE(9), 9);
            this.patch(before.file, before.offset, slot);
            return stored;
        }
        this.index.push(this.entryBytes({ ...fields, flags: 0, parentFile: parent.file, parentOffset: parent.offset }));
        this.previousEntry = entryOffset;
        this.entries.set(stored.toString("latin1"), { file: this.dataFiles.length, offset: entryOffset, parentFile: 0, parentOffset: 0 });
        this.nextId++;
        return stored;
    }

    delete(key: Buffer, timestamp: number): void {
        const entry = this.entries.get(key.toString("latin1"));
        if (!entry) throw new Error("no such key");
        this.append(recordBytes(key, Buffer.alloc(0), this.previousOffset, 0, 1, timestamp));
        this.patch(entry.file, entry.offset + 13, Buffer.from([1]));
        this.entries.delete(key.toString("latin1"));
    }

    /** What is written from now on goes to the next pair of files. */
    jump(): void {
        this.dataFiles.push(Buffer.concat(this.data));
        this.indexFiles.push(Buffer.concat(this.index));
        this.beginFiles();
    }

    /** Where the next record of the data file begins. */
    get dataLength(): number {
        return this.data.reduce((sum, { length }) => sum + length, 0);
    }

    write(disk: MemoryDisk, root: string, name: string, properties: OriginalProperties = {}): void {
        for (const directory of [root, `${root}/data`, `${root}/index`, `${root}/data/${name}`, `${root}/index/${name}`]) {
            disk.makeDirectory(directory);
        }
        for (const [number, bytes] of [...this.dataFiles, Buffer.concat(this.data)].entries()) {
            disk.replace(`${root}/data/${name}/d${number}`, bytes);
        }
        for (const [number, bytes] of [...this.indexFiles, Buffer.concat(this.index)].entries()) {
            disk.replace(`${root}/index/${name}/i${number}`, bytes);
        }
        disk.replace(`${root}/index/${name}/zdb-namespace`, descriptor(name, properties));
    }

    private beginFiles(): void {
        const number = this.dataFiles.length;
        const data = Buffer.alloc(28);
        data.write("DAT0", 0, "latin1");
        data.writeUInt32LE(3, 4);
        data.writeUInt32LE(number, 24);
        const index = Buffer.alloc(29);
        index.write("IDX0", 0, "latin1");
        index.writeUInt32LE(4, 4);
        index.writeUInt32LE(number, 24);
        index[28] = this.mode === "user" ? 0 : 1;
        [this.data, this.index] = [[data], [index]];
        this.previousEntry = 0;
    }

    private append(record: Buffer): void {
        this.previousOffset = this.dataLength;
        this.data.push(record);
    }

    private get indexLength(): number {
        return this.index.reduce((sum, { length }) => sum + length, 0);
    }

    private entryBytes(entry: {
        key: Buffer;
        dataOffset: number;
        length: number;
        timestamp: number;
        crc: number;
        flags: number;
        parentFile: number;
        parentOffset: number;
    }): Buffer {
        const bytes = Buffer.alloc(34 + entry.key.length);
        bytes[0] = entry.key.length;
        bytes.writeUInt32LE(entry.dataOffset, 1);
        bytes.writeUInt32LE(entry.length, 5);
        bytes.writeUInt32LE(this.previousEntry, 9);
        bytes[13] = entry.flags;
        bytes.writeUInt32LE(this.mode === "user" ? 0 : this.dataFiles.length, 14);
        bytes.writeUInt32LE(entry.timestamp, 18);
        bytes.writeUInt32LE(entry.crc, 22);
        bytes.writeUInt32LE(entry.parentFile, 26);
        bytes.writeUInt32LE(entry.parentOffset, 30);
        entry.key.copy(bytes, 34);
        return bytes;
    }

    private entryAt(file: number, offset: number, length: number): Buffer {
        const bytes = file === this.indexFiles.length ? Buffer.concat(this.index) : (this.indexFiles[file] ?? Buffer.alloc(0));
        return bytes.subarray(offset, offset + length);
    }

    private patch(file: number, offset: number, bytes: Buffer): void {
        if (file === this.indexFiles.length) this.index = [Buffer.concat(this.index)];
        const target = file === this.indexFiles.length ? this.index[0] : this.indexFiles[file];
        bytes.copy(target ?? Buffer.alloc(0), offset);
    }
}

export function idKey(id: number): Buffer {
    const key = Buffer.alloc(8);
    key.writeUInt32LE(id);
    return key;
}

function recordBytes(key: Buffer, value: Buffer, previous: number, crc: number, flags: number, timestamp: number): Buffer {
    const head = Buffer.alloc(18);
    head[0] = key.length;
    head.writeUInt32LE(value.length, 1);
    head.writeUInt32LE(previous, 5);
    head.writeUInt32LE(crc, 9);
    head[13] = flags;
    head.writeUInt32LE(timestamp, 14);
    return Buffer.concat([head, key, value]);
}

function descriptor(name: string, { password = "", maxsize = 0, isPublic = true, isWorm = false }: OriginalProperties): Buffer {
    const bytes = Buffer.alloc(15);
    bytes.writeUInt32LE(1, 0);
    bytes[4] = name.length;
    bytes[5] = password.length;
    bytes.writeBigUInt64LE(BigInt(maxsize), 6);
    bytes[14] = ALWAYS | (isPublic ? PUBLIC : 0) | (isWorm ? WORM : 0);
    return Buffer.concat([bytes, Buffer.from(name + password, "latin1")]);
}

/** CRC-32C bit by bit, from nothing but its polynomial: initial value 0, no inversion at the end. */
function checksum(bytes: Buffer): number {
    let crc = 0;
    for (const byte of bytes) {
        crc ^= byte;
        for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return crc >>> 0;
}
