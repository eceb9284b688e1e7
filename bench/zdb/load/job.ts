/** What the load generator is asked to do, and what it answers, as JSON between two processes. */
export interface LoadJob {
    readonly port: number;
    readonly command: "SET" | "GET" | "PING" | "MGET";
    /** `user`: keys of 16 bytes. `seq`: SET makes a new id, GET asks for one of those that the fill made. */
    readonly mode: "user" | "seq";
    /** Where clients go first; "" for where they are. */
    readonly namespace: string;
    readonly clients: number;
    /** Requests that go out together; the next ones when all of them are answered. */
    readonly pipeline: number;
    /** Keys there are, or ids. */
    readonly keys: number;
    readonly valueBytes: number;
    /** Keys one after the other, each once, instead of chosen at random; ends when all were set. */
    readonly isFill: boolean;
    /** Sends of all clients together in a second, at random times that do not depend on answers; 0: as fast as answers come. */
    readonly ratePerSecond: number;
    readonly warmUpSeconds: number;
    readonly seconds: number;
    /** Values of one MGET. */
    readonly keysPerRequest: number;
    /** Its processor time is measured with the load. */
    readonly serverPid: number;
    readonly seed: number;
}

export interface LoadResult {
    readonly requests: number;
    readonly seconds: number;
    /** Answers that are nil: of SET, that the value was there already; of GET, that the key was not. */
    readonly nils: number;
    /** GETs whose answer was not the value that was set. */
    readonly misses: number;
    readonly errors: number;
    readonly firstError: string;
    /** Of answers, in milliseconds from when they should have been sent, so that what waits counts. */
    readonly p50Ms: number;
    readonly p99Ms: number;
    readonly longestMs: number;
    /** Share of the time in which the generator itself worked. Near 1 means that the generator was the limit. */
    readonly ownCpuShare: number;
    readonly serverCpuSeconds: number;
}

/** Length of keys in user mode. */
export const KEY_BYTES = 16;
