import type { Namespace } from "./namespace.ts";

/** How a client came in. */
export interface Entrance {
    /** `address:port`, or the path of a unix socket. */
    readonly key: string;
    /** The server's own listener, or one that namespaces asked for, or the socket of the administrator. */
    readonly kind: "general" | "namespace" | "admin";
}

/**
 * How a client came into its namespace: without a password because there was none, without the one there is because the
 * namespace is public, with it, or past it as the administrator. `public` may read only.
 */
export type Entry = "free" | "public" | "password" | "admin";

/** What the server remembers of a client between commands. */
export interface Session {
    /** Counted from 1 since the start of the server. */
    readonly id: number;
    readonly entrance: Entrance;
    namespace: Namespace;
    entry: Entry;
    admin: boolean;
    /** Of the challenge the client asked for last. */
    nonce: string | undefined;
}
