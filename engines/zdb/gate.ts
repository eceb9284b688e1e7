/** The records that go to disk in one write. Replies given before that write ask it how it went. */
export interface Batch {
    failure: string | undefined;
}

/** A reply may be sent when its log has acknowledged what it depends on. */
export interface Gate {
    readonly keeper: GateKeeper;
    /** The batch that holds the record, while that is not in the file yet. */
    readonly batch: Batch | undefined;
    readonly lsn: number;
}

/** Whoever writes and syncs: a log. */
export interface GateKeeper {
    /** Whether a reply may be sent, or which failure takes its place because its write did not succeed. */
    passes(gate: Gate): boolean | { readonly failure: string };
}
