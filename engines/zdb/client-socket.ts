/** The server's end of a connection, as far as the engine uses it: a `net.Socket`, or what a runtime has that is faster. */
export interface ClientSocket {
    /** Bytes that the kernel has not taken yet. */
    readonly writableLength: number;
    /**
     * Sends bytes, which must not be changed while `writableLength` is not 0. `taken` is called when some that had to wait were taken,
     * and may be called when none had to.
     */
    write(bytes: Uint8Array, taken: () => void): unknown;
    /** Ends our side when all was taken. */
    end(): unknown;
    end(last: string): unknown;
    pause(): unknown;
    resume(): unknown;
    destroy(): unknown;
    /** When the kernel has taken all. */
    destroySoon(): void;
    on(event: "data", listener: (chunk: Buffer) => void): unknown;
    /** `drain`: there is room again. `end`: the client sends nothing more. `close`: nothing comes or goes any more. */
    on(event: "drain" | "end" | "close", listener: () => void): unknown;
    on(event: "error", listener: (error: Error) => void): unknown;
}

/** What accepts clients. */
export interface SocketServer {
    /** Accepts no more; those that came in stay. */
    close(): void;
}
