/** A command that cannot be carried out: its message is the error reply the client gets. Anything else thrown is a bug. */
export class Refusal extends Error {
    /** The connection is closed after this reply: its stream cannot be understood any more. */
    readonly closes: boolean;
    /** The record of the client's namespace that it tells of: like an answer, it waits until that may be told. */
    readonly lsn: number | undefined;

    constructor(message: string, options: { closes?: boolean; lsn?: number } = {}) {
        super(message);
        this.name = "Refusal";
        this.closes = options.closes ?? false;
        this.lsn = options.lsn;
    }
}

/** The server cannot start or go on with what it was given; the message is one sentence for the operator. */
export class StartError extends Error {
    override readonly name = "StartError";
}
