/**
 * One Zero-DB namespace in user mode, as everything in the engine sees it. Implementations: `zdb-backend.ts` over the network,
 * `test/zstor/memory-backend.ts` in memory with faults. All operations are idempotent, may be called at once, and reject with a
 * `BackendError` only. An operation that failed may still be carried out later by the server: nothing may depend on it that it is not.
 */
export interface Backend {
    /** Undefined when there is no such key. */
    get(key: Uint8Array): Promise<Buffer | undefined>;
    /** Settles when the server has acknowledged it, which is as durable as `info` says. */
    set(key: Uint8Array, value: Uint8Array): Promise<void>;
    /** Also when there is no such key. */
    delete(key: Uint8Array): Promise<void>;
    /** A page of all keys, in the order of their last write; begin without cursor, end when the answer has none. */
    scan(cursor?: Uint8Array): Promise<ScanPage>;
    info(): Promise<NamespaceInfo>;
    /** Lets go of connections; what is pending rejects. */
    close(): void;
}

export interface ScanPage {
    readonly entries: readonly ScanEntry[];
    readonly next?: Uint8Array;
}

export interface ScanEntry {
    readonly key: Buffer;
    readonly lengthBytes: number;
    /** When it was last written by the server's clock, Unix milliseconds, to the second. */
    readonly writtenMs: number;
}

/** What NSINFO tells that matters here. */
export interface NamespaceInfo {
    readonly mode: "user" | "sequential";
    readonly entries: number;
    readonly usedBytes: number;
    /** Quota; undefined when there is none. */
    readonly limitBytes?: number;
    /** Of the disk below it. */
    readonly diskFreeBytes: number;
    /** `commit`: an acknowledged write survives a power loss; undefined: the server does not say (the C original). */
    readonly durability?: string;
    /** `ok`, or in words why not. */
    readonly state: string;
}

/**
 * `unreachable`: no connection; `late`: no answer in time; `full`: quota or disk; `denied`: credentials; `refused`: the server
 * said no for another reason (locked, frozen); `damaged`: this value is there and cannot be read any more, about others that says nothing.
 */
export type BackendFailure = "unreachable" | "late" | "full" | "denied" | "refused" | "damaged";

export class BackendError extends Error {
    override readonly name = "BackendError";
    readonly failure: BackendFailure;

    constructor(failure: BackendFailure, message: string) {
        super(message);
        this.failure = failure;
    }
}

/** All keys of a namespace, page by page. */
export async function* keysOf(backend: Backend): AsyncGenerator<ScanEntry> {
    let cursor: Uint8Array | undefined;
    do {
        const page: ScanPage = await backend.scan(cursor);
        yield* page.entries;
        // The same page for ever, from a server that is broken or lies.
        if (cursor && page.next && Buffer.compare(cursor, page.next) === 0) throw new BackendError("refused", "its listing does not go on");
        cursor = page.next;
    } while (cursor !== undefined);
}
