const KIB = 1024;
const SMALLEST_BYTES = 8 * KIB;
const FIRST_BYTES = 64 * KIB;
/** Two of them are what OpenSSH lets be under way on a channel; more would only lie in memory, for every node that is being installed. */
const LARGEST_BYTES = 1024 * KIB;
/** What else goes over the link waits behind two chunks at most. */
const CHUNK_MS = 250;

/** How much is sent at once: what the link carries in a quarter of a second, as the last answers show. */
export class ChunkSize {
    #bytes = FIRST_BYTES;

    get bytes(): number {
        return this.#bytes;
    }

    /** The other end has got `bytes` more, `ms` after the answer before. */
    arrived(bytes: number, ms: number): void {
        const fitting = (bytes * CHUNK_MS) / Math.max(ms, 1);
        const next = Math.min(this.#bytes * 2, Math.max(this.#bytes / 2, fitting));
        this.#bytes = Math.round(Math.min(LARGEST_BYTES, Math.max(SMALLEST_BYTES, next)));
    }
}
