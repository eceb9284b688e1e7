import { createHash, X509Certificate } from "node:crypto";
import { formatAddress, type ListenAddress } from "./listen-address.ts";
import { checkTls, type TlsSecrets } from "./tls-identity.ts";

/**
 * What the listeners of a namespace speak TLS with: the property `tls`. One that cannot be read is no reason to speak without: nobody is
 * let in until it is set anew.
 */
export type NamespaceTls =
    | {
          readonly kind: "certificate";
          /** In the log. */
          readonly text: string;
          readonly secrets: TlsSecrets;
          /**
           * Namespaces that agree in it may share an address: the names their certificates are for, and whose signatures clients must show.
           * A renewed certificate has the same, so that whoever is connected stays.
           */
          readonly terms: string;
          /** Of certificates with the same terms the one that is shown is valid from the latest time on. */
          readonly validFromMs: number;
          /** Tells it from others, and says nothing of the key. */
          readonly digest: string;
      }
    | { readonly kind: "unreadable"; readonly text: "unreadable"; readonly terms: "unreadable" };

export const UNREADABLE_TLS: NamespaceTls = { kind: "unreadable", text: "unreadable", terms: "unreadable" };

const TERMS_LETTERS = 12;

/** Reads `{"cert": "...", "key": "...", "ca": "..."}` with PEM texts, `ca` optional; undefined for what cannot be listened with. */
export function parseTls(text: string): NamespaceTls | undefined {
    if (text === UNREADABLE_TLS.text) return UNREADABLE_TLS;
    const secrets = parseSecrets(text);
    if (!secrets) return undefined;
    try {
        checkTls(secrets);
        const { subject, subjectAltName = "", validFrom } = new X509Certificate(secrets.cert);
        const { cert, ca = "" } = secrets;
        return {
            kind: "certificate",
            text: formatTls(secrets),
            secrets,
            terms: `tls:${sha256([subject, subjectAltName, ca]).slice(0, TERMS_LETTERS)}`,
            validFromMs: Date.parse(validFrom),
            digest: `sha256:${sha256([cert, ca])}`,
        };
    } catch {
        return undefined;
    }
}

/** What a listener of a namespace is known by: those with the same key are one. */
export const listenerKey = (address: ListenAddress, tls: NamespaceTls | undefined): string =>
    tls ? `${formatAddress(address)} ${tls.terms}` : formatAddress(address);

function parseSecrets(text: string): TlsSecrets | undefined {
    let given: unknown;
    try {
        given = JSON.parse(text);
    } catch {
        return undefined;
    }
    if (typeof given !== "object" || given === null) return undefined;
    const { cert, key, ca, ...others } = given as Readonly<Record<string, unknown>>;
    if (typeof cert !== "string" || typeof key !== "string" || Object.keys(others).length > 0) return undefined;
    if (ca !== undefined && typeof ca !== "string") return undefined;
    return { cert, key, ca };
}

const formatTls = ({ cert, key, ca }: TlsSecrets): string => JSON.stringify({ cert, key, ca });

const sha256 = (parts: readonly string[]): string => createHash("sha256").update(JSON.stringify(parts)).digest("hex");
