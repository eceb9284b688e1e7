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
/** What is read for a snapshot before others have their turn: some milliseconds of work. */
export const SNAPSHOT_STEP_BYTES = 64 * KIB;
/** A snapshot is made once the journal since the last one has this many bytes, or as many as that snapshot. */
export const SNAPSHOT_LEAST_BYTES = 4 * MIB;

/** Stripes of one put that are on their way, and of all puts together. */
export const STRIPES_IN_FLIGHT = 5;
/** Buffers of shards that are kept to be used again: of the stripes of a put at 4+2. */
export const SHARD_BUFFERS = 36;
/** Stripes a get fetches ahead. */
export const STRIPES_AHEAD = 3;
/** And all gets together; one each, however many there are. */
export const STRIPES_AHEAD_TOGETHER = 12;
/** Connections to the socket of the front end: each may be a put or a get that holds a stripe. */
export const API_CONNECTIONS = 256;

/** An operation on a backend that has not answered by then has failed. */
export const OPERATION_MS = 20_000;
/** Requests at once to one backend; more wait their turn. */
export const BACKEND_REQUESTS = 32;
export const BACKEND_WAITING = 1024;

/** First and longest pause between attempts to take over when too few replicas answer. */
export const TAKEOVER_PAUSE_MS = 500;
export const TAKEOVER_LONGEST_PAUSE_MS = 15_000;
/** Attempts before those who wait for the journal are told that there is no quorum. */
export const TAKEOVER_ATTEMPTS = 4;
/** Sets of metadata replicas that a take-over goes through, each named by the one before. */
export const CONFIGURATIONS_BEHIND = 8;

/** How often a backend that answers is asked how it is, and how long it may take for that. */
export const PROBE_MS = 5_000;
export const PROBE_ANSWER_MS = 5_000;
/** Failures in a row that open a backend's circuit breaker; so do half of the last requests. */
export const FAILURES_TO_OPEN = 3;
export const OUTCOMES_LOOKED_AT = 16;
/** First and longest pause before a backend whose breaker is open is probed. */
export const BREAKER_PAUSE_MS = 1_000;
export const BREAKER_LONGEST_PAUSE_MS = 15_000;
/** A backend that falls again within this time begins with the pause that it had come to. */
export const BREAKER_FLAP_MS = 60_000;
/** Room that is left on a backend. */
export const RESERVE_BYTES = 16 * MIB;
/** A shard of a stripe is late when it takes so many times as long as half of them did, ... */
export const LATE_FACTOR = 4;
/** ... or half of that where one was late lately, ... */
export const LATE_FACTOR_TARDY = 2;
/** ... at least so long, which syncs of a disk may take now and then, and at most. */
export const LATE_LEAST_MS = 500;
export const LATE_LEAST_TARDY_MS = 50;
export const LATE_MOST_MS = 3_000;
/** Shards that a backend may owe after nobody waits for them any more; it is given no more until it answers. */
export const WRITES_OWED = 8;
/** A read that has waited for a shard as long as 95 of 100 take asks for another one: so long at least, and so long while too little is measured. */
export const HEDGE_QUANTILE = 0.95;
export const HEDGE_LEAST_MS = 10;
export const HEDGE_MS = 250;
/** For so long what was worked out from the measurements is used. */
export const HEDGE_KEPT_MS = 200;
/** Reads that are remembered of a backend, and those of them that say what the next one may take. */
export const LATENCY_SAMPLES = 64;
export const LATENCY_SAMPLES_RECENT = 8;
/** A backend that takes so many times as long as the hedge delay is asked after the others ... */
export const SLOW_FACTOR = 2;
/** ... until it has not been asked for so long. */
export const SLOW_FOR_MS = 10_000;
/** What is more than a round trip. */
export const LARGE_VALUE_BYTES = 64 * KIB;
/** Stripes of small objects that are written at once; the next one gathers meanwhile. */
export const PACKS_IN_FLIGHT = 4;
/** Stripes of a put whose records wait to be committed together. */
export const DRAFT_STRIPES = 16;
/** Extents of so many chunks are held while reading. */
export const READ_WINDOW_CHUNKS = 2048;
/** Stripes whose shards are deleted together. */
export const FREE_AT_ONCE = 64;
/** Objects that are looked at in a round for what is to be forgotten, or wrapped anew, and records of it in a batch. */
export const WALK_OBJECTS = 5000;
export const FORGOTTEN_AT_ONCE = 1000;
/** How often the caretaker looks for work. */
export const CARE_MS = 2_000;
/** Stripes of one layout that are repaired before the next look at what is most urgent. */
export const REPAIR_AT_ONCE = 16;
/** Of them together, while nobody puts or gets; one after the other otherwise. */
export const REPAIR_LANES = 4;
/** While nobody puts or gets, repair goes on for so long before other care has its turn. */
export const REPAIR_SHARE_MS = 10_000;
/** First and longest pause after a stripe that could not be repaired. */
export const REPAIR_PAUSE_MS = 5_000;
export const REPAIR_LONGEST_PAUSE_MS = 300_000;
/** A backend that does not answer for so long is dead: its shards are made again elsewhere. */
export const DEAD_AFTER_MS = 10 * 60_000;
/** Connections to one namespace, so that a small request need not wait behind a large value. */
export const CONNECTIONS = 2;
export const CONNECT_MS = 5_000;
/** Orphans that are remembered; more are found when these are gone. */
export const MARKS_AT_ONCE = 200_000;
/** An orphan is deleted when it has been one for so long; it is looked for four times as often. */
export const SWEEP_DELAY_MS = 24 * 3_600_000;
/** Every shard is read and compared once in this time. */
export const SCRUB_MS = 30 * 24 * 3_600_000;
/** Stripes that are scrubbed before other work has its turn. */
export const SCRUB_AT_ONCE = 16;
/** Values of the metadata, on all replicas, that are scrubbed before other work has its turn: 2 MiB each at most. */
export const METADATA_SCRUB_AT_ONCE = 8;
/** First and longest pause after an exchange of metadata replicas that could not go on. */
export const EXCHANGE_PAUSE_MS = 5_000;
export const EXCHANGE_LONGEST_PAUSE_MS = 60_000;
/** A metadata namespace that was taken out is told so when it answers within this time. */
export const REMOVED_FORGOTTEN_MS = 24 * 3_600_000;
/** Values of such a one that are deleted before it is asked again whether this front end still is the writer. */
export const WIPES_AT_ONCE = 50;
/** Values of a metadata namespace without a sound mark that are looked at to find out whose it is. */
export const OWNER_LOOKS = 200;
/** How often a front end that writes nothing looks whether it still is the one. */
export const VERIFY_EVERY_MS = 10_000;
/** Data keys that are wrapped anew in a batch of the journal. */
export const REWRAPS_AT_ONCE = 1000;
/** Stripes that a rebalance looks at, and of which it moves a shard at most, in a round of the caretaker: at 1 MiB a shard some 8 MB/s. */
export const REBALANCE_LOOKS = 2000;
export const REBALANCE_AT_ONCE = 16;
/** Stripes are packed anew when their shards become smaller than this share of what they are ... */
export const REPACK_GAIN = 0.75;
/** ... or when so many of one order become one; an order is a factor of: */
export const MERGED_AT_LEAST = 8;
export const REPACK_TIER = 8;
/** Stripes that are younger wait for others. */
export const REPACK_AFTER_MS = 30_000;
/** Stripes with the least in them that are looked at for it, and what is moved in a round of the caretaker: some 4 MB/s. */
export const REPACK_LOOKS = 512;
export const REPACK_ROUND_BYTES = 8 * MIB;
/** Stripes that are read for it at once. */
export const REPACK_READS = 8;
/** First and longest pause after stripes that could not be packed anew: what was stored of it stays an orphan until the sweep comes. */
export const REPACK_PAUSE_MS = 10_000;
export const REPACK_LONGEST_PAUSE_MS = 30 * 60_000;
/** The read cache is dropped in so many parts, of these sizes. */
export const CACHE_SEGMENTS = 32;
export const CACHE_LEAST_SEGMENT_BYTES = 1 * MIB;
export const CACHE_LARGEST_SEGMENT_BYTES = 512 * MIB;
/** The least size of a cache: two parts. */
export const CACHE_LEAST_BYTES = 2 * CACHE_LEAST_SEGMENT_BYTES;
/** Chunks that it can find: some 50 bytes of memory each. */
export const CACHE_ENTRIES = 1_000_000;
/** What waits to be kept; more is not kept. One write. */
export const CACHE_BACKLOG_BYTES = 16 * MIB;
export const CACHE_WRITE_BYTES = 512 * KIB;
/** After something went wrong with its disk nothing is kept for so long. */
export const CACHE_PAUSE_MS = 60_000;
