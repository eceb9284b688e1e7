import { CHUNK_BYTES } from "./limits.ts";

/**
 * Cuts a stream anew: pieces of a chunk's length, the last one shorter. Each is good until the next one is asked for. What comes in one
 * piece is given as it is: a small object costs no buffer for a whole chunk.
 */
export async function* chunksOf(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let chunk: Buffer | undefined;
    let begun: Uint8Array = NOTHING;
    for await (const bytes of content) {
        for (let at = 0; at < bytes.length; ) {
            const part = bytes.subarray(at, at + CHUNK_BYTES - begun.length);
            at += part.length;
            if (begun.length === 0) begun = part;
            else {
                chunk ??= Buffer.allocUnsafeSlow(CHUNK_BYTES);
                if (begun.buffer !== chunk.buffer) chunk.set(begun);
                chunk.set(part, begun.length);
                begun = chunk.subarray(0, begun.length + part.length);
            }
            if (begun.length < CHUNK_BYTES) continue;
            yield begun;
            begun = NOTHING;
        }
    }
    if (begun.length > 0) yield begun;
}

const NOTHING = new Uint8Array();
