/** Every bound of the engine in one place. Wire limits come from the Zero-DB protocol, the others keep one client from hurting the rest. */

const KIB = 1024;
const MIB = 1024 * KIB;

/** Longest key. The length is one byte in the log. */
export const MAX_KEY_BYTES = 255;
/** Longest value, and so the longest argument of a request. */
export const MAX_VALUE_BYTES = 8 * MIB;
/** Most arguments of one request. */
export const MAX_ARGUMENTS = 1024;
/** Longest whole request, so that 1024 arguments of 8 MiB cannot be asked for. */
export const MAX_REQUEST_BYTES = 16 * MIB;
/** Longest `*<n>` or `$<n>` line: what the original's read buffer holds. */
export const MAX_HEADER_LINE_BYTES = 8 * KIB;

/** A request larger than this needs room in the input budget before it is read on. */
export const FREE_REQUEST_BYTES = 16 * KIB;
/** Memory for large requests that are still arriving, for all connections together. */
export const INPUT_BUDGET_BYTES = 128 * MIB;
/** A request that holds input budget must have arrived after this base time plus its size at `MIN_INPUT_BYTES_PER_SECOND`. */
export const INPUT_GRACE_MS = 30_000;
export const MIN_INPUT_BYTES_PER_SECOND = 256 * KIB;

/** Answers not yet taken by the client; beyond it nothing more is executed for that connection. */
export const OUTPUT_HIGH_WATER_BYTES = 1 * MIB;
/** Memory for answers not yet taken, for all connections together; only the administrator's socket goes on beyond it. */
export const OUTPUT_BUDGET_BYTES = 128 * MIB;
/** An answer up to this size is given even then to a client that has taken all before it. */
export const SMALL_ANSWER_BYTES = 16 * KIB;
/** While others wait for that memory: a client must have taken answers after this base time plus their size at this rate. */
export const OUTPUT_GRACE_MS = 30_000;
export const MIN_OUTPUT_BYTES_PER_SECOND = 256 * KIB;
export const OUTPUT_CHECK_MS = 5000;
/** Reply buffers larger than this are given back after a flush. */
export const OUTPUT_KEEP_BYTES = 64 * KIB;
/** A value from this size on goes out as it was read, not copied to other answers first. */
export const ATTACHED_BYTES = 256 * KIB;
/** More than this is not given to the kernel at once: copying it is time that other clients wait. */
export const SEND_STEP_BYTES = 256 * KIB;
/** Clients of one server, all listeners together. */
export const MAX_CONNECTIONS = 4096;

/** Memory for values that had to be fetched from the disk, for all connections together. */
export const READ_BUDGET_BYTES = 128 * MIB;
/** More than this is not read, and no checksum is made over more, without the event loop having its turn. */
export const READ_STEP_BYTES = 1 * MIB;
/** Where the system cannot tell whether a read would wait: the newest bytes of a log are taken to be in memory. */
export const SURELY_WARM_BYTES = 16 * MIB;
/** A record up to this size is read at once, head, key and payload. */
export const WHOLE_READ_BYTES = 64 * KIB;

/** Longest namespace name, property name, and property value, as the protocol says. */
export const MAX_NAMESPACE_NAME_BYTES = 128;
export const MAX_PROPERTY_NAME_BYTES = 256;
export const MAX_PROPERTY_VALUE_BYTES = 63;
/** `listen` is a list of addresses and may be longer than other values. */
export const MAX_LISTEN_VALUE_BYTES = 1024;
/** `tls` holds a certificate with its chain, a key and authorities. */
export const MAX_TLS_VALUE_BYTES = 256 * KIB;
/** `hook` is the path of a program. */
export const MAX_HOOK_VALUE_BYTES = 1024;
/** Longest password a client may send. */
export const MAX_SELECT_PASSWORD_BYTES = 255;
export const MAX_ADMIN_PASSWORD_BYTES = 128;
/** How long the answer to a wrong password is held back, for that connection only. */
export const FAILED_LOGIN_DELAY_MS = 1000;

/** A step of SCAN: at most so many keys, and no longer than this when there are some. */
export const SCAN_ENTRIES = 8192;
export const SCAN_SLICE_MS = 2;
/** Of a payload whose checksum is made for DATA RAW between two turns. */
export const CHECKSUM_STEP_BYTES = 256 * KIB;
/** KSCAN is for few keys: more, or a longer answer, is refused. So many clients gather at once. */
export const MAX_KSCAN_KEYS = 100_000;
export const KSCAN_REPLY_BYTES = 16 * MIB;
export const KSCAN_LANES = 4;

/** A client that has not shown by then that it can speak TLS is let go. */
export const TLS_HANDSHAKE_MS = 10_000;

/** Hooks that run at once, and those that wait for their turn; more are left out. */
export const MAX_RUNNING_HOOKS = 64;
export const MAX_WAITING_HOOKS = 1024;
/** How long the end of the server waits for the hook that is told of it. */
export const CLOSE_HOOK_MS = 60_000;

/** Segments are a sixteenth of the quota, between these two. */
export const MIN_SEGMENT_BYTES = 16 * MIB;
export const MAX_SEGMENT_BYTES = 64 * MIB;
/** Records of one turn are gathered up to this size before they are written. */
export const BATCH_BYTES = 1 * MIB;
/** A background sync starts once this much was written, so that closing a segment has little left to sync. */
export const SYNC_AFTER_BYTES = 4 * MIB;
/** And this much when no more than that is left of the segment: clients wait while its end is synced. */
export const SYNC_NEAR_END_BYTES = 256 * KIB;
/** A log that is read faster than anyone waits needs no checkpoint of its index: a record takes less than a microsecond. */
export const CHECKPOINT_LEAST_LOG_BYTES = 48 * MIB;
/** At an orderly end nobody waits for it, but whoever starts next. */
export const LAST_CHECKPOINT_LEAST_LOG_BYTES = 16 * MIB;
/** What was overwritten or deleted is looked for as often as this at least, to be erased in time. */
export const MOST_ERASURE_LOOK_MS = 3_600_000;
/** After so many hours it is gone from the disk. */
export const ERASE_AFTER_HOURS = 168;
/** Segment files held open, for the whole server. */
export const MAX_OPEN_SEGMENTS = 512;

/** Space kept back for tombstones on a full disk, and the step in which it is given up. */
export const RESERVE_BYTES = 4 * MIB;
export const RESERVE_STEP_BYTES = 256 * KIB;
/** After a full disk was seen, writes are refused this long before the disk is tried again. */
export const DISK_FULL_PAUSE_MS = 1000;

/** What the scrub reads in a second when no option says otherwise: a disk of 1 TB in a day and a half. */
export const SCRUB_BYTES_PER_SECOND = 8 * MIB;
/** Read at once; its checksums take less than a millisecond. */
export const SCRUB_STEP_BYTES = 256 * KIB;
/** From the start to the first round, and from the beginning of a round to that of the next one, when it does not take longer. */
export const SCRUB_START_MS = 10 * 60_000;
export const SCRUB_PERIOD_MS = 24 * 3_600_000;
