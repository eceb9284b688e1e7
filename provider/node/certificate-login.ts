import { sign } from "node:crypto";
import ssh2, { type Client, type IdentityCallback, type ParsedKey, type SignCallback, type SigningRequestOptions } from "ssh2";
import type { Certificate } from "./certificate.ts";
import { WireReader, wireMpint, wireString } from "./ssh-wire.ts";

/** Signs with the key that a certificate is for. The signature comes as SSH has it, without its algorithm. */
export type Signer = (data: Buffer, hash: "sha512" | undefined) => Promise<Buffer>;

/** A way to log in with a certificate, for one connection. */
export const certificateMethod = (client: Client, certificate: Certificate, signer: Signer) => ({
    type: "agent" as const,
    agent: new CertificateAgent(client, certificate, signer),
});

/**
 * To ssh2 a certificate is a key of an agent with an unusual type. ssh2 would then name that type in the signature too, where the server
 * wants the type of the key itself (PROTOCOL.certkeys of OpenSSH); so the request to log in is completed and sent here.
 */
class CertificateAgent extends ssh2.BaseAgent<ParsedKey> {
    readonly #client: Client;
    readonly #certificate: Certificate;
    readonly #signer: Signer;

    constructor(client: Client, certificate: Certificate, signer: Signer) {
        super();
        this.#client = client;
        this.#certificate = certificate;
        this.#signer = signer;
    }

    override getIdentities(callback: IdentityCallback<ParsedKey>): void {
        const shown = shownKey(this.#certificate);
        if (shown) callback(null, [shown]);
        else callback(new Error("the certificate's key cannot be read"));
    }

    override sign(_key: ParsedKey, data: Buffer, options: SigningRequestOptions | SignCallback, callback?: SignCallback): void {
        const failed = typeof options === "function" ? options : callback;
        const { algorithm, hash } = signatureOf(this.#certificate);
        this.#signer(data, hash)
            .then((bytes) => {
                const signature = Buffer.concat([wireString(algorithm), wireString(bytes)]);
                // What is signed is the session's id and the request without its signature.
                const reader = new WireReader(data);
                reader.string();
                send(this.#client, Buffer.concat([data.subarray(reader.position), wireString(signature)]));
            })
            .catch((thrown: unknown) => failed?.(thrown instanceof Error ? thrown : new Error(String(thrown))));
    }
}

/** RSA keys sign with a hash that the algorithm names; the certificate's own type still says the old one. */
const signatureOf = ({ key }: Certificate): { readonly algorithm: string; readonly hash: "sha512" | undefined } => {
    const type = key.split(" ")[0] ?? "";
    return type === "ssh-rsa" ? { algorithm: "rsa-sha2-512", hash: "sha512" } : { algorithm: type, hash: undefined };
};

const shownKey = (certificate: Certificate): ParsedKey | undefined => {
    const key: unknown = ssh2.utils.parseKey(certificate.key);
    if (key instanceof Error) return undefined;
    const type = certificate.type.replace(/^ssh-rsa-/, "rsa-sha2-512-");
    return Object.assign(Object.create(key as object) as ParsedKey, { type, getPublicSSH: () => certificate.blob });
};

/** How the keys of the SSH agent sign. A key is named by its public part, or by the certificate that the SSH agent has for it. */
export const agentSigner =
    (agent: ssh2.BaseAgent, key: ParsedKey): Signer =>
    (data, hash) =>
        new Promise((resolve, reject) => {
            const done: SignCallback = (error, signature) => (error || !signature ? reject(error) : resolve(signature));
            agent.sign(key, data, { hash } as SigningRequestOptions, done);
        });

/** How a key at hand signs. */
export const keySigner =
    (key: ParsedKey): Signer =>
    async (data, hash) => {
        const coordinateHash = { "ecdsa-sha2-nistp256": "sha256", "ecdsa-sha2-nistp384": "sha384", "ecdsa-sha2-nistp521": "sha512" }[
            key.type as string
        ];
        const pem = key.getPrivatePEM();
        if (coordinateHash === undefined) return sign(hash ?? null, data, pem);
        const both = sign(coordinateHash, data, { key: pem, dsaEncoding: "ieee-p1363" });
        return Buffer.concat([both.subarray(0, both.length / 2), both.subarray(both.length / 2)].map(wireMpint));
    };

/** The key under which the SSH agent knows a certificate. */
export const agentKeyOf = (certificate: Certificate): ParsedKey | undefined => {
    const key: unknown = ssh2.utils.parseKey(certificate.key);
    if (key instanceof Error) return undefined;
    return Object.assign(Object.create(key as object) as ParsedKey, { getPublicSSH: () => certificate.blob });
};

/** The parts of ssh2's connection that a message of ours is sent with; the package has no public way. */
interface Inside {
    readonly _protocol?: {
        readonly _packetRW: {
            readonly write: { readonly allocStart: number; alloc(bytes: number): Buffer; finalize(packet: Buffer): Buffer };
        };
        readonly _cipher: { encrypt(packet: Buffer): void };
        readonly _authsQueue: string[];
    };
}

const send = (client: Client, payload: Buffer): void => {
    const protocol = (client as unknown as Inside)._protocol;
    if (!protocol?._packetRW.write.alloc) throw new Error("this version of ssh2 cannot log in with a certificate");
    const { write } = protocol._packetRW;
    const packet = write.alloc(payload.length);
    packet.set(payload, write.allocStart);
    protocol._authsQueue.push("publickey");
    protocol._cipher.encrypt(write.finalize(packet));
};
