import { generateKeyPairSync, randomBytes } from "node:crypto";
import { ZeroformError } from "../../protocol/errors.ts";
import { type Certificate, certificateFrom } from "./certificate.ts";
import { ALGORITHMS } from "./host-key.ts";
import { WireReader, wireString, wireUint32 } from "./ssh-wire.ts";
import type { Transport } from "./transport.ts";

const KEXINIT = 20;
const KEX_ECDH_INIT = 30;
const KEX_ECDH_REPLY = 31;
/** What may come before an answer and means nothing here: ignore, debug, extensions. */
const PASSED_OVER = [2, 4, 7];
/** Far above an identification line with its greeting, a KEXINIT and a reply. */
const BYTES_MAX = 256 * 1024;

/** OpenSSH signs no certificate with the old algorithm of RSA keys. */
const CERTIFICATES = ALGORITHMS.filter((type) => type !== "ssh-rsa").map((type) => `${type}-cert-v01@openssh.com`);
/** Offered to be complete; nothing is encrypted, as the conversation ends before that. */
const CIPHERS = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes256-ctr,chacha20-poly1305@openssh.com";
const MACS = "hmac-sha2-256-etm@openssh.com,hmac-sha2-256,hmac-sha2-512";

/** The part of the client in a key exchange, as far as it is needed to hear the answer. */
const EXCHANGES: Readonly<Record<string, () => Buffer>> = {
    "curve25519-sha256": () => publicBytes("x25519"),
    "curve25519-sha256@libssh.org": () => publicBytes("x25519"),
    "ecdh-sha2-nistp256": () =>
        generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ type: "spki", format: "der" }).subarray(-65),
};

const publicBytes = (type: "x25519"): Buffer => generateKeyPairSync(type).publicKey.export({ type: "spki", format: "der" }).subarray(-32);

/**
 * The certificate that a server shows for its host key, or undefined when it has none. ssh2 does not ask for one: so this speaks SSH
 * (RFC 4253) up to the server's first answer and hangs up. That the server holds the key is proven by the connection made afterwards.
 */
export const askForHostCertificate = async (
    { stream }: Transport,
    signal: AbortSignal,
    timeoutMs: number,
): Promise<Certificate | undefined> => {
    const { promise, resolve, reject } = Promise.withResolvers<Certificate | undefined>();
    const giveUp = () => reject(signal.reason);
    signal.addEventListener("abort", giveUp, { once: true });
    const hungUp = (why: string) => () =>
        reject(
            new ZeroformError({
                code: "SSH_LOST",
                action: "connect",
                message: `the server ${why} when asked for a host certificate`,
                retryable: true,
            }),
        );
    const timer = setTimeout(hungUp("said nothing"), timeoutMs);
    for (const event of ["error", "close", "end"]) stream.on(event, hungUp("hung up"));
    const conversation = new Conversation((bytes) => stream.write(bytes), resolve);
    stream.on("data", (chunk: Buffer) => {
        try {
            conversation.take(chunk);
        } catch {
            hungUp("spoke something else than SSH")();
        }
    });
    conversation.begin();
    try {
        return await promise;
    } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", giveUp);
        stream.destroy();
    }
};

class Conversation {
    readonly #write: (bytes: Buffer) => void;
    readonly #answer: (certificate: Certificate | undefined) => void;
    #received = Buffer.alloc(0);
    #isIdentified = false;

    constructor(write: (bytes: Buffer) => void, answer: (certificate: Certificate | undefined) => void) {
        this.#write = write;
        this.#answer = answer;
    }

    begin(): void {
        this.#write(Buffer.from("SSH-2.0-zeroform\r\n"));
        this.#write(packet(ownKexInit()));
    }

    take(chunk: Buffer): void {
        this.#received = Buffer.concat([this.#received, chunk]);
        if (this.#received.length > BYTES_MAX) throw new RangeError("too much");
        while (this.#isIdentified ? this.#packet() : this.#line());
    }

    #line(): boolean {
        const end = this.#received.indexOf("\n");
        if (end < 0) return false;
        this.#isIdentified = this.#received.toString("latin1", 0, 4) === "SSH-";
        this.#received = this.#received.subarray(end + 1);
        return true;
    }

    #packet(): boolean {
        if (this.#received.length < 5) return false;
        const length = this.#received.readUInt32BE();
        if (length > BYTES_MAX || length < 2) throw new RangeError("no packet");
        if (this.#received.length < 4 + length) return false;
        const payload = this.#received.subarray(5, 4 + length - this.#received.readUInt8(4));
        this.#received = this.#received.subarray(4 + length);
        this.#message(new WireReader(payload));
        return true;
    }

    #message(reader: WireReader): void {
        const type = reader.byte();
        if (PASSED_OVER.includes(type)) return;
        if (type === KEX_ECDH_REPLY) this.#answer(certificateFrom(reader.string()));
        else if (type === KEXINIT) this.#exchange(reader);
        else throw new RangeError("an unexpected message");
    }

    #exchange(reader: WireReader): void {
        reader.skip(16);
        const exchanges = reader.text().split(",");
        const hostKeys = reader.text().split(",");
        const exchange = Object.entries(EXCHANGES).find(([name]) => exchanges.includes(name))?.[1];
        if (!exchange || !CERTIFICATES.some((name) => hostKeys.includes(name))) this.#answer(undefined);
        else this.#write(packet(Buffer.concat([Buffer.from([KEX_ECDH_INIT]), wireString(exchange())])));
    }
}

const ownKexInit = (): Buffer => {
    const lists = [Object.keys(EXCHANGES).join(","), CERTIFICATES.join(","), CIPHERS, CIPHERS, MACS, MACS, "none", "none", "", ""];
    return Buffer.concat([Buffer.from([KEXINIT]), randomBytes(16), ...lists.map(wireString), Buffer.alloc(5)]);
};

/** A packet before encryption begins: padded to a multiple of eight. */
const packet = (payload: Buffer): Buffer => {
    const short = 8 - ((5 + payload.length) % 8);
    const padding = short < 4 ? short + 8 : short;
    return Buffer.concat([wireUint32(1 + payload.length + padding), Buffer.from([padding]), payload, randomBytes(padding)]);
};
