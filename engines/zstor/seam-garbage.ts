import { readFileSync } from "node:fs";

/** So much of buffers that nobody holds any more is let lie. */
const MOST_BYTES = 32 * 2 ** 20;
/** With more memory than this the process waits for the collector: what it promises is 200 MB. */
const CALM_BYTES = 140 * 2 ** 20;

let lyingBytes = 0;

/**
 * Says that buffers of that size will be let go of. Bun collects when its heap has doubled, which large buffers are hardly part of, so a
 * stream would leave hundreds of MiB lying; it is asked to when some have come together. Node counts them by itself.
 */
export function leaveGarbage(bytes: number): void {
    if (process.versions.bun === undefined) return;
    lyingBytes += bytes;
    if (lyingBytes < MOST_BYTES) return;
    lyingBytes = 0;
    // Beside the work when there is time: it keeps pages at hand, which costs less than to have them zeroed again.
    Bun.gc(privateBytes() > CALM_BYTES);
}

/** Without the program itself, which is in memory once for all its processes. */
function privateBytes(): number {
    return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? 0) * 1024;
}
