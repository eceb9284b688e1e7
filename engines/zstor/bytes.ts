/** Bytes that are not what the format says: damage, a newer version, or another's. */
export class FormatError extends Error {
    override readonly name = "FormatError";
}

/** Appends the primitives of FORMAT.md. */
export class ByteWriter {
    private buffer = Buffer.allocUnsafe(256);
    private length = 0;

    byte(value: number): this {
        this.reserve(1);
        this.buffer[this.length++] = value;
        return this;
    }

    u32(value: number): this {
        this.reserve(4);
        this.length = this.buffer.writeUInt32LE(value, this.length);
        return this;
    }

    varint(value: number): this {
        if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is no varint`);
        this.reserve(8);
        let rest = value;
        while (rest >= 0x80) {
            this.buffer[this.length++] = (rest % 0x80) + 0x80;
            rest = Math.floor(rest / 0x80);
        }
        this.buffer[this.length++] = rest;
        return this;
    }

    raw(bytes: Uint8Array): this {
        this.reserve(bytes.length);
        this.buffer.set(bytes, this.length);
        this.length += bytes.length;
        return this;
    }

    hex(digits: string): this {
        return this.raw(Buffer.from(digits, "hex"));
    }

    text(value: string): this {
        const bytes = Buffer.from(value, "utf8");
        return this.varint(bytes.length).raw(bytes);
    }

    bytes(): Buffer {
        return this.buffer.subarray(0, this.length);
    }

    private reserve(more: number): void {
        if (this.length + more <= this.buffer.length) return;
        const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.length + more));
        this.buffer.copy(larger, 0, 0, this.length);
        this.buffer = larger;
    }
}

const VARINT_BYTES = 8;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads them back; every read that the bytes do not allow is a `FormatError`, never more memory than there are bytes. */
export class ByteReader {
    private readonly buffer: Buffer;
    private at = 0;

    constructor(buffer: Buffer) {
        this.buffer = buffer;
    }

    get isAtEnd(): boolean {
        return this.at === this.buffer.length;
    }

    byte(): number {
        const value = this.buffer[this.at];
        if (value === undefined) throw new FormatError("the bytes end early");
        this.at++;
        return value;
    }

    u32(): number {
        return this.raw(4).readUInt32LE();
    }

    varint(): number {
        let value = 0;
        let scale = 1;
        for (let count = 0; count < VARINT_BYTES; count++) {
            const byte = this.byte();
            value += (byte & 0x7f) * scale;
            if (byte < 0x80) {
                if (!Number.isSafeInteger(value)) break;
                return value;
            }
            scale *= 0x80;
        }
        throw new FormatError("a number is too large");
    }

    raw(length: number): Buffer {
        if (length > this.buffer.length - this.at) throw new FormatError("the bytes end early");
        this.at += length;
        return this.buffer.subarray(this.at - length, this.at);
    }

    hex(length: number): string {
        return this.raw(length).toString("hex");
    }

    text(): string {
        try {
            return utf8.decode(this.raw(this.varint()));
        } catch (error) {
            if (error instanceof FormatError) throw error;
            throw new FormatError("a text is no UTF-8");
        }
    }

    list<T>(length: number, item: () => T): T[] {
        if (length > this.buffer.length - this.at) throw new FormatError("the bytes end early");
        const items: T[] = [];
        for (let count = 0; count < length; count++) items.push(item());
        return items;
    }
}
