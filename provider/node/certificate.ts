import { verify } from "node:crypto";
import ssh2, { type ParsedKey } from "ssh2";
import { type HostKey, hostKeyOf } from "./known-hosts.ts";
import { WireReader } from "./ssh-wire.ts";

/** An OpenSSH certificate: a key that an authority vouches for (PROTOCOL.certkeys of OpenSSH). */
export interface Certificate {
    /** Its wire form. */
    readonly blob: Buffer;
    /** `ssh-ed25519-cert-v01@openssh.com` ... */
    readonly type: string;
    /** The key that is vouched for, as it is without the certificate. */
    readonly key: HostKey;
    readonly purpose: "user" | "host";
    readonly id: string;
    /** Users or hosts that it holds for; none: all of them. */
    readonly principals: readonly string[];
    /** In seconds since 1970. */
    readonly validAfter: bigint;
    readonly validBefore: bigint;
    /** Names of options that whoever does not know them has to refuse. */
    readonly criticalOptions: readonly string[];
    readonly authority: HostKey;
    readonly signed: Buffer;
    readonly signature: Buffer;
}

const SUFFIX = "-cert-v01@openssh.com";
/** How many values of the wire format a public key has behind its type. */
const KEY_VALUES: Readonly<Record<string, number>> = {
    "ssh-ed25519": 1,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
    "ssh-rsa": 2,
};
const PURPOSES = { 1: "user", 2: "host" } as const;

export const isCertificateType = (type: string): boolean => type.endsWith(SUFFIX);

/** The certificate of a `-cert.pub` file; undefined when the text is none that can be used. */
export const certificateIn = (text: string): Certificate | undefined => {
    const [type = "", base64 = ""] = text.trim().split(/\s+/);
    return isCertificateType(type) ? certificateFrom(Buffer.from(base64, "base64")) : undefined;
};

/** The certificate of a wire form; undefined when it is none, or for a kind of key that is not spoken here. */
export const certificateFrom = (blob: Buffer): Certificate | undefined => {
    try {
        const reader = new WireReader(blob);
        const type = reader.text();
        const keyType = type.slice(0, -SUFFIX.length);
        const values = KEY_VALUES[keyType];
        if (!isCertificateType(type) || values === undefined) return undefined;
        reader.string();
        const start = reader.position;
        for (let value = 0; value < values; value++) reader.string();
        const plain = Buffer.concat([plainTypeOf(keyType), reader.since(start)]);
        reader.uint64();
        const purpose = PURPOSES[reader.uint32() as 1 | 2];
        const id = reader.text();
        const principals = listIn(reader.string());
        const [validAfter, validBefore] = [reader.uint64(), reader.uint64()];
        const criticalOptions = listIn(reader.string()).filter((_, index) => index % 2 === 0);
        reader.string();
        reader.string();
        const authority = hostKeyOf(reader.string());
        const signed = blob.subarray(0, reader.position);
        const signature = reader.string();
        if (purpose === undefined || !reader.isAtEnd) return undefined;
        const validity = { validAfter, validBefore };
        return { blob, type, key: hostKeyOf(plain), purpose, id, principals, ...validity, criticalOptions, authority, signed, signature };
    } catch {
        return undefined;
    }
};

const plainTypeOf = (type: string): Buffer => {
    const bytes = Buffer.alloc(4 + type.length);
    bytes.writeUInt32BE(type.length);
    bytes.write(type, 4, "latin1");
    return bytes;
};

const listIn = (bytes: Buffer): string[] => {
    const reader = new WireReader(bytes);
    const found: string[] = [];
    while (!reader.isAtEnd) found.push(reader.text());
    return found;
};

/** Why a certificate does not hold at a time; undefined when it does. */
export const outOfDate = ({ validAfter, validBefore }: Certificate, now: Date): string | undefined => {
    const seconds = BigInt(Math.floor(now.getTime() / 1000));
    if (seconds < validAfter) return `is not valid before ${dayOf(validAfter)}`;
    return seconds >= validBefore ? `expired at ${dayOf(validBefore)}` : undefined;
};

const dayOf = (seconds: bigint): string => new Date(Number(seconds) * 1000).toISOString();

/** Whether its authority has signed it, with a hash that is still good. */
export const isSignedByItsAuthority = ({ authority, signed, signature }: Certificate): boolean => {
    try {
        const key = ssh2.utils.parseKey(authority) as ParsedKey | Error;
        if (key instanceof Error) return false;
        const reader = new WireReader(signature);
        const [algorithm, bytes] = [reader.text(), reader.string()];
        const scheme = SIGNATURES[algorithm];
        if (!scheme || (key.type !== algorithm && !(key.type === "ssh-rsa" && algorithm.startsWith("rsa-sha2-")))) return false;
        const { hash, coordinate } = scheme;
        const publicKey = key.getPublicPEM();
        if (coordinate === undefined) return verify(hash, signed, publicKey, bytes);
        const parts = new WireReader(bytes);
        const joined = Buffer.concat([parts.string(), parts.string()].map((part) => padded(part, coordinate)));
        return verify(hash, signed, { key: publicKey, dsaEncoding: "ieee-p1363" }, joined);
    } catch {
        return false;
    }
};

/** Signature algorithms: the hash, and for elliptic curves the bytes of a coordinate. SHA-1 is not among them. */
const SIGNATURES: Readonly<Record<string, { readonly hash: string | null; readonly coordinate?: number }>> = {
    "ssh-ed25519": { hash: null },
    "rsa-sha2-256": { hash: "sha256" },
    "rsa-sha2-512": { hash: "sha512" },
    "ecdsa-sha2-nistp256": { hash: "sha256", coordinate: 32 },
    "ecdsa-sha2-nistp384": { hash: "sha384", coordinate: 48 },
    "ecdsa-sha2-nistp521": { hash: "sha512", coordinate: 66 },
};

const padded = (number: Buffer, length: number): Buffer => {
    const digits = number.length > length ? number.subarray(number.length - length) : number;
    return Buffer.concat([Buffer.alloc(length - digits.length), digits]);
};
