import type { Namespace } from "./namespace.ts";

/** How a client came in. */
export interface Entrance {
    /** `address:port`, or the path of a unix socket. */
    readonly key: string;
    /** The server's own listener, or one that namespaces asked for, or the socket of the administrator. */
    readonly kind: "general" | "namespace" | "admin";
}

/** What the server remembers of a client between commands. */
export interface Session {
    readonly entrance: Entrance;
    namespace: Namespace;
    /** Came in with the password, or none is needed. */
    writable: boolean;
    admin: boolean;
    /** Of the challenge the client asked for last. */
    nonce: string | undefined;
}
