import { createHash, timingSafeEqual } from "node:crypto";
import type { Namespace } from "./namespace.ts";
import { DEFAULT_NAMESPACE } from "./namespace-name.ts";
import { listenerKey } from "./namespace-tls.ts";
import { Refusal } from "./refusal.ts";
import type { Session } from "./session.ts";

/** How much the server shows. */
interface Openness {
    /** `default` is shut and namespaces are behind their own listeners only. */
    readonly closed: boolean;
    /** Everybody is told about private namespaces. */
    readonly showsAll: boolean;
}

/** Whether a client that came in here may reach the namespace at all. One that asked for listeners is behind those only. */
export function isReachable(namespace: Namespace, session: Session, closedServer: boolean): boolean {
    const { kind, key } = session.entrance;
    if (kind === "admin") return true;
    const { listen, tls } = namespace.properties;
    if (listen.length > 0) return listen.some((address) => listenerKey(address, tls) === key);
    return kind === "general" && !closedServer;
}

/** Whether NSLIST and NSINFO tell this client about the namespace: what it could come into, or is in. */
export function isVisible(namespace: Namespace, session: Session, { closed, showsAll }: Openness): boolean {
    if (session.admin || showsAll) return true;
    if (!isReachable(namespace, session, closed)) return false;
    // A closed one may have lost that it is private.
    return (namespace.properties.public && namespace.closedReason === undefined) || namespace === session.namespace;
}

/**
 * Whether the terms of its namespace still let the client be in it. Those who gave a password stay when it is changed, so that it
 * can be rotated; who gave none leaves when there is one now, or when the namespace is private now. Administrators made the terms.
 */
export function keepsTerms({ namespace, entry, admin }: Session): boolean {
    const { password, public: isPublic } = namespace.properties;
    if (admin || password === "" || entry === "password" || entry === "admin") return true;
    return entry === "public" && isPublic;
}

/** `default` is for clients of the server's own listeners, and for nobody on a closed server. */
function checkDefault({ namespace, entrance }: Session, closedServer: boolean): void {
    if (namespace.name !== DEFAULT_NAMESPACE || !(closedServer || entrance.kind === "namespace")) return;
    throw new Refusal("Namespace default is closed here, use SELECT <namespace> <password> or AUTH <namespace> <password>");
}

/** Reads that tell no value or key, such as DBSIZE, go on while a namespace is frozen. */
export function checkCount(session: Session, closedServer: boolean): void {
    checkDefault(session, closedServer);
}

export function checkRead(session: Session, closedServer: boolean): void {
    checkDefault(session, closedServer);
    if (session.namespace.properties.access === "frozen") throw new Refusal("Namespace is temporarily frozen (read-write disabled)");
}

export function checkWrite(session: Session, closedServer: boolean): void {
    checkDefault(session, closedServer);
    if (session.entry === "public") throw new Refusal("Namespace is in read-only mode");
    checkRead(session, closedServer);
    if (session.namespace.properties.access === "locked") throw new Refusal("Namespace is temporarily locked (read-only)");
}

/** Takes the same time wherever the two differ. */
export function isSamePassword(given: Uint8Array, expected: string): boolean {
    const digest = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
    return timingSafeEqual(digest(given), digest(Buffer.from(expected, "latin1")));
}

/** The answer to a challenge: lower-case hex SHA-1 of `<nonce>:<password>`. */
export function challengeAnswer(nonce: string, password: string): string {
    return createHash("sha1").update(`${nonce}:${password}`, "latin1").digest("hex");
}
