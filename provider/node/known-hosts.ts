import { createHash, createHmac } from "node:crypto";
import { textOfSettings } from "./ssh-config.ts";

/** A host key as known_hosts writes it: `<type> <base64>`. */
export type HostKey = string;

export interface KnownKey {
    readonly key: HostKey;
    /** What its line says of it beside being the host's key: revoked, or of an authority that signs host certificates. */
    readonly marker: "@revoked" | "@cert-authority" | undefined;
    /** The file that has it. */
    readonly file: string;
}

/** The keys that known_hosts files have for a host, by the name it is known under. The files are never written. */
export const knownKeys = (files: readonly string[], knownAs: string): KnownKey[] =>
    files.flatMap((file) => keysIn(textOfSettings(file) ?? "", knownAs).map((found) => ({ ...found, file })));

/** The keys that a known_hosts text has for a host. */
export const keysIn = (text: string, knownAs: string): Omit<KnownKey, "file">[] =>
    text.split(/\r?\n/).flatMap((line) => {
        const fields = line.trim().split(/\s+/);
        const marker = fields[0]?.startsWith("@") ? fields.shift() : undefined;
        const [names, type, base64] = fields;
        if (!names || !type || !base64 || names.startsWith("#")) return [];
        if (marker !== undefined && marker !== "@revoked" && marker !== "@cert-authority") return [];
        return namesMatch(names, knownAs) ? [{ key: `${type} ${base64}`, marker }] : [];
    });

const namesMatch = (names: string, knownAs: string): boolean => {
    if (names.startsWith("|1|")) return isHashOf(names, knownAs);
    const patterns = names.split(",");
    const matches = (pattern: string) => wildcard(pattern).test(knownAs);
    return (
        patterns.some((pattern) => !pattern.startsWith("!") && matches(pattern)) &&
        !patterns.some((pattern) => pattern.startsWith("!") && matches(pattern.slice(1)))
    );
};

/** `|1|<salt>|<HMAC-SHA1 of the name>`. */
const isHashOf = (hashed: string, knownAs: string): boolean => {
    const [, , salt, hash] = hashed.split("|");
    return salt !== undefined && createHmac("sha1", Buffer.from(salt, "base64")).update(knownAs).digest("base64") === hash;
};

const wildcard = (pattern: string): RegExp => {
    const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, String.raw`\$&`);
    return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`, "i");
};

/** `SHA256:...`, as ssh shows a key. */
export const fingerprint = (key: HostKey): string =>
    `SHA256:${createHash("sha256")
        .update(Buffer.from(key.split(" ")[1] ?? "", "base64"))
        .digest("base64")
        .replace(/=+$/, "")}`;

/** The key that a server presented, from its wire form, which starts with its type. */
export const hostKeyOf = (blob: Buffer): HostKey => `${blob.toString("latin1", 4, 4 + blob.readUInt32BE(0))} ${blob.toString("base64")}`;
