import { StoreError } from "./object-api.ts";

/** Content up to a mark at its very end. Without it the content has broken off, which a pipe whose writer is gone does not tell. */
export async function* until(mark: string, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const wanted = Buffer.from(mark);
    let held = Buffer.alloc(0);
    for await (const bytes of content) {
        const there = Buffer.concat([held, bytes]);
        const sure = Math.max(0, there.length - wanted.length);
        held = there.subarray(sure);
        if (sure > 0) yield there.subarray(0, sure);
    }
    if (!held.equals(wanted)) throw new StoreError("stopped", "the content broke off before its end, and is not stored");
}
