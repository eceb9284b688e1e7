import { BATCH_BYTES, MAX_KEY_BYTES } from "./limits.ts";
import { RECORD_HEAD_BYTES } from "./record.ts";

/** A few are enough: a buffer is taken by a log for one turn only, and given back by its write. */
const MOST_KEPT = 4;
/** The head of a record too large for the batch is still put into the buffer. */
const BUFFER_BYTES = BATCH_BYTES + RECORD_HEAD_BYTES + MAX_KEY_BYTES;

const kept: Buffer[] = [];

export function acquireBatchBuffer(): Buffer {
    return kept.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
}

export function releaseBatchBuffer(buffer: Buffer): void {
    if (kept.length < MOST_KEPT) kept.push(buffer);
}
