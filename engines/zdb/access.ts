import { createHash, timingSafeEqual } from "node:crypto";
import { formatAddress } from "./listen-address.ts";
import type { Namespace } from "./namespace.ts";
import { DEFAULT_NAMESPACE } from "./namespaces.ts";
import { Refusal } from "./refusal.ts";
import type { Session } from "./session.ts";

/** Whether a client that came in here may reach the namespace at all. One that asked for listeners is behind those only. */
export function isReachable(namespace: Namespace, session: Session, closedServer: boolean): boolean {
    const { kind, key } = session.entrance;
    if (kind === "admin") return true;
    const { listen } = namespace.properties;
    if (listen.length > 0) return listen.some((address) => formatAddress(address) === key);
    return kind === "general" && !closedServer;
}

/** Whether NSLIST and NSINFO tell this client about the namespace: what it could come into, or is in. */
export function isVisible(namespace: Namespace, session: Session, closedServer: boolean): boolean {
    if (session.admin) return true;
    if (!isReachable(namespace, session, closedServer)) return false;
    return namespace.properties.public || namespace === session.namespace;
}

export function checkRead(namespace: Namespace, closedServer: boolean): void {
    if (closedServer && namespace.name === DEFAULT_NAMESPACE) {
        throw new Refusal("Namespace default is closed on this server, use SELECT <namespace> <password> or AUTH <namespace> <password>");
    }
    if (namespace.properties.access === "frozen") throw new Refusal("Namespace is temporarily frozen (read-write disabled)");
}

export function checkWrite(session: Session, closedServer: boolean): void {
    const { namespace } = session;
    if (closedServer && namespace.name === DEFAULT_NAMESPACE) checkRead(namespace, closedServer);
    if (!session.writable) throw new Refusal("Namespace is in read-only mode");
    checkRead(namespace, closedServer);
    if (namespace.properties.access === "locked") throw new Refusal("Namespace is temporarily locked (read-only)");
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
