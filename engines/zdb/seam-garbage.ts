import type { Timers } from "./syncer.ts";

const CHECK_MS = 100;
/** More garbage than this is not left lying. */
const MOST_GARBAGE_BYTES = 16 * 1024 * 1024;

/**
 * Bun collects garbage when the heap has doubled, and counts the index in: with a large one that much garbage would be private memory. So
 * it is asked to when some has come together; it does so beside the event loop (0.15 ms of it on average, 4 at most, with 5 million keys).
 * The result ends it. Node's heap does not count such memory.
 */
export function collectGarbage(timers: Timers): () => void {
    if (process.versions.bun === undefined) return () => undefined;
    let floorBytes = usedBytes();
    let wasAsked = false;
    let cancel: () => void;
    const plan = (): void => {
        cancel = timers.after(CHECK_MS, check);
    };
    const check = (): void => {
        const bytes = usedBytes();
        floorBytes = wasAsked ? bytes : Math.min(floorBytes, bytes);
        wasAsked = bytes > floorBytes + MOST_GARBAGE_BYTES;
        if (wasAsked) Bun.gc(false);
        plan();
    };
    plan();
    return () => cancel();
}

function usedBytes(): number {
    const { heapTotal, external } = process.memoryUsage();
    return heapTotal + external;
}
