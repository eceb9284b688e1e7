import { CHUNK_BYTES } from "./limits.ts";

/** Cuts a stream anew: pieces of a chunk's length, the last one shorter. Each is good until the next one is asked for. */
export async function* chunksOf(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    let filled = 0;
    for await (const bytes of content) {
        for (let at = 0; at < bytes.length; ) {
            const part = bytes.subarray(at, at + CHUNK_BYTES - filled);
            at += part.length;
            if (part.length === CHUNK_BYTES) {
                yield part;
                continue;
            }
            chunk.set(part, filled);
            filled += part.length;
            if (filled < CHUNK_BYTES) continue;
            yield chunk;
            filled = 0;
        }
    }
    if (filled > 0) yield chunk.subarray(0, filled);
}
