import { FragileDirectory, type FragileNode } from "./fragile-device.ts";

/** The few answers of the kernel's FUSE protocol (7.31) that a file system of the tests needs. Little-endian, as the kernel has it. */
export const REQUEST_HEAD_BYTES = 40;

export interface Request {
    readonly opcode: number;
    readonly unique: bigint;
    readonly node: number;
    readonly body: Buffer;
}

export function readRequest(bytes: Buffer): Request {
    return {
        opcode: bytes.readUInt32LE(4),
        unique: bytes.readBigUInt64LE(8),
        node: Number(bytes.readBigUInt64LE(16)),
        body: bytes.subarray(REQUEST_HEAD_BYTES, bytes.readUInt32LE(0)),
    };
}

export function reply(unique: bigint, error: number, body: Buffer = Buffer.alloc(0)): Buffer {
    const head = Buffer.alloc(16);
    head.writeUInt32LE(16 + body.length, 0);
    head.writeInt32LE(-error, 4);
    head.writeBigUInt64LE(unique, 8);
    return Buffer.concat([head, body]);
}

export function initialised(maxWriteBytes: number): Buffer {
    const body = Buffer.alloc(64);
    body.writeUInt32LE(7, 0);
    body.writeUInt32LE(31, 4);
    body.writeUInt32LE(maxWriteBytes, 8);
    // FUSE_BIG_WRITES
    body.writeUInt32LE(1 << 5, 12);
    body.writeUInt16LE(16, 16);
    body.writeUInt16LE(12, 18);
    body.writeUInt32LE(maxWriteBytes, 20);
    body.writeUInt32LE(1, 24);
    return body;
}

function attributes(id: number, node: FragileNode): Buffer {
    const isDirectory = node instanceof FragileDirectory;
    const size = isDirectory ? 4096 : node.size;
    const body = Buffer.alloc(88);
    body.writeBigUInt64LE(BigInt(id), 0);
    body.writeBigUInt64LE(BigInt(size), 8);
    body.writeBigUInt64LE(BigInt(Math.ceil(size / 512)), 16);
    body.writeUInt32LE(isDirectory ? 0o40700 : 0o100600, 60);
    body.writeUInt32LE(1, 64);
    body.writeUInt32LE(4096, 80);
    return body;
}

/** Nothing is cached: every question comes here. */
export const attributesOf = (id: number, node: FragileNode): Buffer => Buffer.concat([Buffer.alloc(16), attributes(id, node)]);

export function entry(id: number, node: FragileNode): Buffer {
    const head = Buffer.alloc(40);
    head.writeBigUInt64LE(BigInt(id), 0);
    return Buffer.concat([head, attributes(id, node)]);
}

/** FOPEN_DIRECT_IO for files: reads and writes come here as the program asked them. */
export function opened(isFile: boolean): Buffer {
    const body = Buffer.alloc(16);
    body.writeUInt32LE(isFile ? 1 : 0, 8);
    return body;
}

export function written(bytes: number): Buffer {
    const body = Buffer.alloc(8);
    body.writeUInt32LE(bytes, 0);
    return body;
}

export function space(freeBytes: number): Buffer {
    const body = Buffer.alloc(80);
    const blocks = BigInt(Math.max(0, Math.floor(Math.min(freeBytes, 2 ** 40) / 4096)));
    for (const at of [0, 8, 16, 24, 32]) body.writeBigUInt64LE(blocks, at);
    body.writeUInt32LE(4096, 40);
    body.writeUInt32LE(255, 44);
    body.writeUInt32LE(4096, 48);
    return body;
}

/** As many names, from number `from` on, as fit. */
export function listing(names: readonly string[], from: number, mostBytes: number): Buffer {
    const entries: Buffer[] = [];
    let used = 0;
    for (const [place, name] of names.entries()) {
        if (place < from) continue;
        const text = Buffer.from(name);
        const bytes = Buffer.alloc(24 + Math.ceil(text.length / 8) * 8);
        if (used + bytes.length > mostBytes) break;
        bytes.writeBigUInt64LE(BigInt(place + 1), 0);
        bytes.writeBigUInt64LE(BigInt(place + 1), 8);
        bytes.writeUInt32LE(text.length, 16);
        text.copy(bytes, 24);
        entries.push(bytes);
        used += bytes.length;
    }
    return Buffer.concat(entries);
}

/** Names in a request end with a zero byte. */
export function namesIn(bytes: Buffer): string[] {
    return bytes.toString("utf8").split("\0");
}
