/** Every bound of the engine in one place. */

const KIB = 1024;
const MIB = 1024 * KIB;

/** Plaintext of a chunk: what a range read decrypts at least, and part of the format. */
export const CHUNK_BYTES = 128 * KIB;
/** Room that a data shard has: four sealed chunks at most, and a Zero-DB value is 8 MiB at most. */
export const SHARD_CHUNKS = 4;
/** Plaintext of a full stripe; fewer chunks a shard with many data shards. */
export const STRIPE_BYTES = 4 * MIB;
/** K + M: indexes are one byte, and tables of the erasure code stay in the first cache. */
export const MAX_SHARDS = 64;

/** Longest name of an object, in UTF-8. */
export const MAX_NAME_BYTES = 1024;
/** A batch of the journal ends here: a quarter of what a Zero-DB takes, so that one more record of any kind still fits. */
export const BATCH_BYTES = 2 * MIB;
/** A page of a snapshot. */
export const PAGE_BYTES = 1 * MIB;
/** A snapshot is made once the journal since the last one has this many bytes, or as many as that snapshot. */
export const SNAPSHOT_LEAST_BYTES = 4 * MIB;

/** Stripes of one put that are on their way, and of all puts together. */
export const STRIPES_IN_FLIGHT = 8;
/** Stripes a get fetches ahead. */
export const STRIPES_AHEAD = 3;

/** An operation on a backend that has not answered by then has failed. */
export const OPERATION_MS = 20_000;
/** Requests at once to one backend; more wait their turn. */
export const BACKEND_REQUESTS = 32;
