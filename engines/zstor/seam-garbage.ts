/** So much of buffers that nobody holds any more is let lie. */
const MOST_BYTES = 32 * 2 ** 20;

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
    Bun.gc(false);
}
