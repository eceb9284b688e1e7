import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import ssh2, { type Client, type IdentityCallback, type ParsedKey, type SignCallback, type SigningRequestOptions } from "ssh2";
import { ZeroformError } from "../../protocol/errors.ts";
import { listIdentities } from "./agent-identities.ts";
import { type Certificate, certificateFrom, certificateIn, outOfDate } from "./certificate.ts";
import { agentKeyOf, agentSigner, certificateMethod, keySigner, type Signer } from "./certificate-login.ts";
import { hostKeyOf } from "./known-hosts.ts";
import { type ReadKey, readKey } from "./private-key.ts";
import type { Secrets } from "./route.ts";
import type { Target } from "./target.ts";

/** A key to log in with: ssh2's way to use it on a connection, and what a user calls it. */
export interface Candidate {
    readonly label: string;
    readonly method: (
        client: Client,
    ) => { readonly type: "publickey"; readonly key: ParsedKey } | { readonly type: "agent"; readonly agent: ssh2.BaseAgent };
}

/** The keys to log in with, in the order to try, and those that could not be used, with why. */
export interface KeyRing {
    readonly candidates: readonly Candidate[];
    readonly passedOver: readonly string[];
}

/** An SSH agent that does not list its keys by then is passed over; one that asks its user does so when it signs, not here. */
const AGENT_LIST_MS = 5_000;
const KEY_FILE_BYTES_MAX = 64 * 1024;

/** The keys for a target, each behind its certificates. A key that the program gave is the only one tried, and an error when it cannot be used. */
export const gatherKeys = async (target: Target, secrets: Secrets = {}): Promise<KeyRing> => {
    const agent = await agentKeys(target.agentSocket);
    const configured = await certificatesIn(target.certificateFiles);
    const ring = (keys: readonly Key[], passedOver: readonly string[]): KeyRing => ({
        candidates: keys.flatMap((key) => [...certified(key, [...configured, ...agent.certificates]), key]),
        passedOver,
    });
    if (secrets.privateKey !== undefined) return ring([fromText(secrets.privateKey, secrets.passphrase, target)], []);
    if (target.identityFile !== undefined) {
        const found = await fromFile(target.identityFile, agent.keys, secrets.passphrase);
        if ("label" in found) return ring([found], []);
        throw new ZeroformError({
            code: "SSH_CONFIG",
            action: "connect",
            message: `identityFile ${target.identityFile} cannot be used: ${found.why}`,
            hint: found.fix,
            node: target.alias,
        });
    }
    const files = await Promise.all(
        target.identityFiles.map(async (path) => ({ path, found: await fromFile(path, agent.keys, secrets.passphrase) })),
    );
    const fromFiles = files.flatMap(({ found }) => ("label" in found ? [found] : []));
    const named = new Set(fromFiles.map(({ key }) => key));
    const others = target.identitiesOnly ? [] : agent.keys.filter(({ key }) => !named.has(key));
    return ring(
        [...fromFiles, ...others],
        [
            ...agent.passedOver,
            ...files.flatMap(({ path, found }) => ("why" in found && found.why !== ABSENT ? [`${tilde(path)} (${found.why})`] : [])),
        ],
    );
};

interface Unusable {
    readonly why: string;
    readonly fix: string;
}

/** A key that can sign, and the certificates that lie beside it. */
interface Key extends Candidate {
    /** Its public part, `<type> <base64>`. */
    readonly key: string;
    readonly signer: Signer;
    readonly beside: readonly NamedCertificate[];
}

interface NamedCertificate {
    readonly label: string;
    readonly certificate: Certificate;
    /** Where it is the SSH agent that has the certificate. */
    readonly signer?: Signer;
}

const ABSENT = "there is no such file";
const tilde = (path: string) => (path.startsWith(`${homedir()}/`) ? `~${path.slice(homedir().length)}` : path);

/** A key as its certificates have it: what the server trusts may be their authority alone. */
const certified = ({ key, signer, beside }: Key, others: readonly NamedCertificate[]): Candidate[] => {
    const fitting = [...beside, ...others].filter(({ certificate }) => certificate.purpose === "user" && certificate.key === key);
    const different = fitting.filter(
        ({ certificate }, index) => index === fitting.findIndex((each) => each.certificate.blob.equals(certificate.blob)),
    );
    return different.map(({ label, certificate, signer: own }) => {
        const stale = outOfDate(certificate, new Date());
        return {
            label: `${label} (certificate "${certificate.id}"${stale === undefined ? "" : `, which ${stale}`})`,
            method: (client) => certificateMethod(client, certificate, own ?? signer),
        };
    });
};

const certificatesIn = async (paths: readonly string[]): Promise<NamedCertificate[]> => {
    const texts = await Promise.all(paths.map(async (path) => ({ path, text: await textOf(path) })));
    return texts.flatMap(({ path, text }) => {
        const certificate = typeof text === "string" ? certificateIn(text) : undefined;
        return certificate ? [{ label: tilde(path), certificate }] : [];
    });
};

const fromText = (text: string, passphrase: string | undefined, target: Target): Key => {
    const read = readKey(text, passphrase);
    if (read.kind === "key" && read.key.isPrivateKey()) return keyAtHand("privateKey", read.key, []);
    const refuse = (message: string, hint: string) =>
        new ZeroformError({ code: "SSH_CONFIG", action: "connect", message, hint, node: target.alias });
    if (read.kind === "encrypted")
        throw refuse("privateKey is encrypted", "Set passphrase to its passphrase, as a secret, or put the key into an SSH agent instead.");
    if (read.kind === "wrong passphrase")
        throw refuse("passphrase does not open privateKey", "Give the passphrase that the key was encrypted with.");
    throw refuse(
        "privateKey is not a private key that can be read",
        "Give the whole text of an OpenSSH or PEM private key, or put the key into an SSH agent and leave privateKey out.",
    );
};

const keyAtHand = (label: string, key: ParsedKey, beside: readonly NamedCertificate[]): Key => ({
    label,
    key: publicPart(key),
    signer: keySigner(key),
    beside,
    method: () => ({ type: "publickey", key }),
});

const fromFile = async (path: string, agent: readonly Key[], passphrase: string | undefined): Promise<Key | Unusable> => {
    const text = await textOf(path);
    const read: ReadKey = typeof text === "string" ? readKey(text, passphrase) : { kind: "unreadable" };
    const beside = await certificatesIn([`${path.replace(/\.pub$/, "")}-cert.pub`]);
    if (read.kind === "key" && read.key.isPrivateKey()) return keyAtHand(tilde(path), read.key, beside);
    // Not readable, encrypted, on a token, or a public key: the SSH agent may have its private half.
    const publicText = await textOf(path.endsWith(".pub") ? path : `${path}.pub`);
    const publicKey: ReadKey = typeof publicText === "string" ? readKey(publicText) : { kind: "unreadable" };
    if (publicKey.kind === "key") {
        const held = agent.find(({ key }) => key === publicPart(publicKey.key));
        if (held) return { ...held, label: `${tilde(path)} (SSH agent)`, beside };
    }
    if (read.kind === "encrypted")
        return {
            why: "it is encrypted and the SSH agent does not have it",
            fix: `Run: ssh-add ${path} (or set passphrase to its passphrase, as a secret).`,
        };
    if (read.kind === "wrong passphrase")
        return { why: "passphrase does not open it", fix: "Give the passphrase that the key was encrypted with." };
    if (typeof text !== "string")
        return { why: text.why, fix: "Name an existing private key file, or leave identityFile out to use the SSH agent." };
    return { why: "it is not a private key that can be read", fix: "Use an OpenSSH or PEM private key, or put the key into an SSH agent." };
};

const publicPart = (key: ParsedKey) => hostKeyOf(key.getPublicSSH());

const textOf = async (path: string): Promise<string | { readonly why: string }> => {
    try {
        const text = await readFile(path, "utf8");
        return text.length <= KEY_FILE_BYTES_MAX ? text : { why: "it is too large for a key" };
    } catch (thrown) {
        const code = (thrown as NodeJS.ErrnoException).code;
        return { why: code === "ENOENT" ? ABSENT : `it cannot be read (${code})` };
    }
};

interface AgentKeys {
    readonly keys: readonly Key[];
    readonly certificates: readonly NamedCertificate[];
    readonly passedOver: readonly string[];
}

const agentKeys = async (socket: string | undefined): Promise<AgentKeys> => {
    if (socket === undefined) return { keys: [], certificates: [], passedOver: [] };
    const identities = await listIdentities(socket, AGENT_LIST_MS);
    if (identities === undefined) return { keys: [], certificates: [], passedOver: [`the SSH agent at ${socket} (it does not answer)`] };
    const agent = ssh2.createAgent(socket);
    const certificates = identities.flatMap(({ blob, comment }): NamedCertificate[] => {
        const certificate = certificateFrom(blob);
        const key = certificate && agentKeyOf(certificate);
        return certificate && key
            ? [{ label: `${comment || certificate.id} (SSH agent)`, certificate, signer: agentSigner(agent, key) }]
            : [];
    });
    const keys = identities.flatMap(({ blob, comment }): Key[] => {
        const key: unknown = ssh2.utils.parseKey(blob);
        return key instanceof Error ? [] : [keyOfAgent(agent, key as ParsedKey, comment)];
    });
    return { keys, certificates, passedOver: [] };
};

const keyOfAgent = (agent: ssh2.BaseAgent, key: ParsedKey, comment: string): Key => {
    const one = new OneKeyAgent(agent, key);
    return {
        label: `${comment || key.type} (SSH agent)`,
        key: publicPart(key),
        signer: agentSigner(agent, key),
        beside: [],
        method: () => ({ type: "agent", agent: one }),
    };
};

/** An SSH agent that shows one of its keys only, so that keys are tried in our order and named when they fail. */
class OneKeyAgent extends ssh2.BaseAgent<ParsedKey> {
    readonly #agent: ssh2.BaseAgent;
    readonly #key: ParsedKey;

    constructor(agent: ssh2.BaseAgent, key: ParsedKey) {
        super();
        this.#agent = agent;
        this.#key = key;
    }

    override getIdentities(callback: IdentityCallback<ParsedKey>): void {
        callback(null, [this.#key]);
    }

    override sign(key: ParsedKey, data: Buffer, options: SigningRequestOptions | SignCallback, callback?: SignCallback): void {
        if (typeof options === "function") this.#agent.sign(key, data, options);
        else if (callback) this.#agent.sign(key, data, options, callback);
    }
}
