/** Reads the values of SSH's wire format (RFC 4251, 5). Throws a RangeError behind the end. */
export class WireReader {
    readonly #bytes: Buffer;
    #at = 0;

    constructor(bytes: Buffer) {
        this.#bytes = bytes;
    }

    get position(): number {
        return this.#at;
    }

    get isAtEnd(): boolean {
        return this.#at >= this.#bytes.length;
    }

    byte(): number {
        return this.#take(1).readUInt8();
    }

    uint32(): number {
        return this.#take(4).readUInt32BE();
    }

    uint64(): bigint {
        return this.#take(8).readBigUInt64BE();
    }

    string(): Buffer {
        return this.#take(this.uint32());
    }

    text(): string {
        return this.string().toString("utf8");
    }

    /** What has been read since a position. */
    since(start: number): Buffer {
        return this.#bytes.subarray(start, this.#at);
    }

    skip(bytes: number): void {
        this.#take(bytes);
    }

    #take(bytes: number): Buffer {
        if (this.#at + bytes > this.#bytes.length) throw new RangeError("behind the end");
        this.#at += bytes;
        return this.#bytes.subarray(this.#at - bytes, this.#at);
    }
}

export const wireUint32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
};

export const wireString = (value: Buffer | string): Buffer => {
    const bytes = Buffer.from(value as string);
    return Buffer.concat([wireUint32(bytes.length), bytes]);
};

/** A number without sign, as its bytes. */
export const wireMpint = (value: Buffer): Buffer => {
    const first = value.findIndex((byte) => byte !== 0);
    const digits = first < 0 ? Buffer.alloc(0) : value.subarray(first);
    return wireString((digits[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), digits]) : digits);
};
