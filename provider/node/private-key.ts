import { createHash, createPrivateKey, type KeyObject } from "node:crypto";
import ssh2, { type ParsedKey } from "ssh2";

/** What a text turned out to be. */
export type ReadKey =
    | { readonly kind: "key"; readonly key: ParsedKey }
    /** Encrypted, and no passphrase was given. */
    | { readonly kind: "encrypted" }
    | { readonly kind: "wrong passphrase" }
    | { readonly kind: "unreadable" };

/** Opening an encrypted key takes a good part of a second on purpose, and many nodes may share one. */
const OPENED_MAX = 64;
const opened = new Map<string, ReadKey>();

/** A private or public key from its text. The library's own errors are not passed on, as they may quote the text. */
export const readKey = (text: string, passphrase?: string): ReadKey => {
    if (passphrase === undefined) return parse(text, undefined);
    const digest = createHash("sha256")
        .update(JSON.stringify([text, passphrase]))
        .digest("base64");
    const known = opened.get(digest);
    if (known) return known;
    const read = parse(text, passphrase);
    if (opened.size >= OPENED_MAX) opened.clear();
    opened.set(digest, read);
    return read;
};

const parse = (text: string, passphrase: string | undefined): ReadKey => {
    const tidy = `${text.replace(/\r\n?/g, "\n").trim()}\n`;
    if (/-----BEGIN (ENCRYPTED )?PRIVATE KEY-----/.test(tidy)) return parsePkcs8(tidy, passphrase);
    return judged(ssh2.utils.parseKey(tidy, passphrase), passphrase);
};

const judged = (parsed: unknown, passphrase: string | undefined): ReadKey => {
    const key: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
    if (!(key instanceof Error)) return { kind: "key", key: key as ParsedKey };
    if (/no passphrase/i.test(key.message)) return { kind: "encrypted" };
    // A passphrase that does not fit shows as noise where the key should be.
    return passphrase !== undefined && !/unsupported key format/i.test(key.message) ? { kind: "wrong passphrase" } : { kind: "unreadable" };
};

/** PKCS#8, which openssl writes and ssh2 does not read: as the older format of the same key. */
const parsePkcs8 = (text: string, passphrase: string | undefined): ReadKey => {
    const isEncrypted = text.includes("BEGIN ENCRYPTED");
    if (isEncrypted && passphrase === undefined) return { kind: "encrypted" };
    let key: KeyObject;
    try {
        key = createPrivateKey({ key: text, ...(passphrase !== undefined && { passphrase }) });
    } catch {
        return isEncrypted ? { kind: "wrong passphrase" } : { kind: "unreadable" };
    }
    const type = { rsa: "pkcs1" as const, ec: "sec1" as const }[key.asymmetricKeyType as string];
    return type === undefined ? { kind: "unreadable" } : judged(ssh2.utils.parseKey(key.export({ type, format: "pem" })), undefined);
};
