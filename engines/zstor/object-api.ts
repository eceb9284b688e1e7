/**
 * What the store offers, in the daemon and to other engines. Names are UTF-8, 1 to 1024 bytes, no NUL; `/` has no meaning but in prefixes.
 * An acknowledged change is on W metadata replicas and at least K + max(1, minParity) shards of each stripe. All reject with a `StoreError`.
 */
export interface ObjectStore {
    /** Makes the next generation of the object: whole or not at all. Reads `content` no faster than it is stored. */
    put(name: string, content: AsyncIterable<Uint8Array>, options?: PutOptions): Promise<ObjectInfo>;
    /** The bytes, in order, chunk by chunk; a part when a range is given. */
    get(name: string, range?: Range, generation?: number): Promise<{ readonly info: ObjectInfo; readonly bytes: AsyncIterable<Buffer> }>;
    /** Undefined when there is no such object. */
    stat(name: string): ObjectInfo | undefined;
    /** In the order of names, those after `after`, at most `limit`. */
    list(prefix: string, after?: string, limit?: number): ObjectInfo[];
    /** Newest first; a removal is one with `removed`. */
    history(name: string): ObjectInfo[];
    /** False when there was none. */
    remove(name: string): Promise<boolean>;
}

export interface PutOptions {
    /** Abort: nothing of it will be there. */
    readonly signal?: AbortSignal;
}

export interface Range {
    readonly offset: number;
    readonly length: number;
}

export interface ObjectInfo {
    readonly name: string;
    readonly generation: number;
    readonly sizeBytes: number;
    /** Unix milliseconds. */
    readonly createdMs: number;
    readonly removed: boolean;
}

/**
 * `not-found`; `invalid`: the caller's mistake; `lost`: fewer than K shards of a stripe can be had, the words say which backends have them; `no-room`: no layout
 * is legal now; `no-quorum`: too few metadata replicas answer; `superseded`: another front end writes; `rolled-back`: the metadata are older than what was seen;
 * `removed`: the metadata namespaces that were given are none of the store any more; `stopped`: the engine ends, or what was asked was cut; `view`: the front end's own file cannot be used, whether what was asked for is there is not known.
 */
export type StoreFailure =
    | "not-found"
    | "invalid"
    | "lost"
    | "no-room"
    | "no-quorum"
    | "superseded"
    | "rolled-back"
    | "removed"
    | "stopped"
    | "view";

export class StoreError extends Error {
    override readonly name = "StoreError";
    readonly failure: StoreFailure;

    constructor(failure: StoreFailure, message: string) {
        super(message);
        this.failure = failure;
    }
}
