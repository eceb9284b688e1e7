/** A TCP socket that listens on this machine. */
export interface Listener {
    /** IP address as text, `::` and `0.0.0.0` for all. */
    readonly address: string;
    readonly port: number;
    readonly inode: number;
}

/** TCP ports of this machine. */
export interface Ports {
    listeners(): Promise<readonly Listener[]>;
    /** The process that holds a listening socket, such as `nginx (pid 812)`. */
    holder(listener: Listener): Promise<string>;
    /** Addresses of this machine's interfaces. */
    addresses(): readonly string[];
}
