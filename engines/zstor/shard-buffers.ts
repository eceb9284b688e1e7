import { SHARD_BUFFERS } from "./limits.ts";

/**
 * Buffers of shards that are used again. New ones for each stripe would be zeroed by the kernel page by page, which took a quarter of
 * the processor time of a put.
 */
export class ShardBuffers {
    private readonly free: Buffer[] = [];
    private readonly sizeBytes: number;

    /** `sizeBytes`: of the longest shard that is usual. */
    constructor(sizeBytes: number) {
        this.sizeBytes = sizeBytes;
    }

    /** With whatever was in it before. */
    take(lengthBytes: number): Buffer {
        if (lengthBytes === 0) return NOTHING;
        const there = lengthBytes <= this.sizeBytes ? this.free.pop() : undefined;
        return (there ?? Buffer.allocUnsafeSlow(Math.max(lengthBytes, this.sizeBytes))).subarray(0, lengthBytes);
    }

    /** Of those that were taken, some that nobody will look at any more, nor send. */
    give(buffers: readonly Buffer[]): void {
        for (const { buffer } of buffers)
            if (buffer.byteLength === this.sizeBytes && this.free.length < SHARD_BUFFERS) this.free.push(Buffer.from(buffer));
    }
}

const NOTHING = Buffer.alloc(0);
