import type { ApiClient } from "../../engines/zstor/api-client.ts";

const PIECE_BYTES = 2 ** 20;

/** Bytes that go on with themselves: an object of any length without so much memory. */
export class LongContent {
    readonly sizeBytes: number;
    private readonly block: Buffer;

    constructor(block: Buffer, sizeBytes: number) {
        this.block = block;
        this.sizeBytes = sizeBytes;
    }

    async *pieces(): AsyncGenerator<Buffer> {
        for (let at = 0; at < this.sizeBytes; at += PIECE_BYTES) yield this.at(at, Math.min(PIECE_BYTES, this.sizeBytes - at));
    }

    /** Reads it all, or a range, and compares. */
    async readFrom(client: ApiClient, name: string, offset = 0, length = this.sizeBytes): Promise<void> {
        let at = offset;
        for await (const part of client.get({ op: "get", name, offset, length })) {
            for (let done = 0; done < part.length; ) {
                const begin = (at + done) % this.block.length;
                const same = part.subarray(done, done + this.block.length - begin);
                if (!same.equals(this.block.subarray(begin, begin + same.length)))
                    throw new Error(`wrong bytes of ${name} at ${at + done}`);
                done += same.length;
            }
            at += part.length;
        }
        if (at !== offset + length) throw new Error(`${at - offset} of ${length} bytes of ${name} came`);
    }

    private at(offset: number, length: number): Buffer {
        const begin = offset % this.block.length;
        return this.block.subarray(begin, begin + length);
    }
}
