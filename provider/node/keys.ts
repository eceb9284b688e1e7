import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import ssh2, { type IdentityCallback, type ParsedKey, type SignCallback, type SigningRequestOptions } from "ssh2";
import { ZeroformError } from "../../protocol/errors.ts";
import type { Target } from "./target.ts";

/** A key to log in with: ssh2's way to use it, and what a user calls it. */
export interface Candidate {
    readonly label: string;
    readonly method: { readonly type: "publickey"; readonly key: ParsedKey } | { readonly type: "agent"; readonly agent: ssh2.BaseAgent };
}

/** The keys to log in with, in the order to try, and those that could not be used, with why. */
export interface KeyRing {
    readonly candidates: readonly Candidate[];
    readonly passedOver: readonly string[];
}

/** An SSH agent that does not list its keys by then is passed over; one that asks its user does so when it signs, not here. */
const AGENT_LIST_MS = 5_000;
const KEY_FILE_BYTES_MAX = 64 * 1024;

/** The keys for a target. A key that the program gave is the only one tried, and an error when it cannot be used. */
export const gatherKeys = async (target: Target, privateKey: string | undefined): Promise<KeyRing> => {
    if (privateKey !== undefined) return { candidates: [fromText(privateKey)], passedOver: [] };
    const agent = await agentKeys(target.agentSocket);
    if (target.identityFile !== undefined) {
        const found = await fromFile(target.identityFile, agent.keys);
        if ("label" in found) return { candidates: [found], passedOver: [] };
        throw new ZeroformError({
            code: "SSH_CONFIG",
            message: `identityFile ${target.identityFile} cannot be used: ${found.why}`,
            hint: found.fix,
            node: target.alias,
        });
    }
    const files = await Promise.all(target.identityFiles.map(async (path) => ({ path, found: await fromFile(path, agent.keys) })));
    const fromFiles = files.flatMap(({ found }) => ("label" in found ? [found] : []));
    const named = new Set(fromFiles.map(({ key }) => key));
    const others = target.identitiesOnly ? [] : agent.keys.filter(({ key }) => !named.has(key.getPublicSSH().toString("base64")));
    return {
        candidates: [...fromFiles, ...others],
        passedOver: [
            ...agent.passedOver,
            ...files.flatMap(({ path, found }) => ("why" in found && found.why !== ABSENT ? [`${tilde(path)} (${found.why})`] : [])),
        ],
    };
};

interface Unusable {
    readonly why: string;
    readonly fix: string;
}
interface AgentKey extends Candidate {
    readonly key: ParsedKey;
    readonly agent: ssh2.BaseAgent;
}

const ABSENT = "there is no such file";
const tilde = (path: string) => (path.startsWith(`${homedir()}/`) ? `~${path.slice(homedir().length)}` : path);

const fromText = (text: string): Candidate => {
    const key = parse(text);
    if (key === "encrypted" || key === undefined || !key.isPrivateKey())
        throw new ZeroformError({
            code: "SSH_CONFIG",
            message: key === "encrypted" ? "privateKey is encrypted" : "privateKey is not a private key that can be read",
            hint: "Give the whole text of an unencrypted OpenSSH or PEM private key, or put the key into an SSH agent and leave privateKey out.",
        });
    return { label: "privateKey", method: { type: "publickey", key } };
};

const fromFile = async (path: string, agent: readonly AgentKey[]): Promise<(Candidate & { readonly key: string }) | Unusable> => {
    const text = await textOf(path);
    const key = typeof text === "string" ? parse(text) : undefined;
    if (key !== undefined && key !== "encrypted" && key.isPrivateKey())
        return { label: tilde(path), key: publicPart(key), method: { type: "publickey", key } };
    // Not readable, encrypted, on a token, or a public key: the SSH agent may have its private half.
    const beside = await textOf(path.endsWith(".pub") ? path : `${path}.pub`);
    const publicKey = typeof beside === "string" ? parse(beside) : undefined;
    if (publicKey !== undefined && publicKey !== "encrypted") {
        const held = agent.find((candidate) => publicPart(candidate.key) === publicPart(publicKey));
        if (held) return { label: `${tilde(path)} (SSH agent)`, key: publicPart(publicKey), method: held.method };
    }
    if (key === "encrypted") return { why: "it is encrypted and the SSH agent does not have it", fix: `Run: ssh-add ${path}` };
    if (typeof text !== "string")
        return { why: text.why, fix: "Name an existing private key file, or leave identityFile out to use the SSH agent." };
    return { why: "it is not a private key that can be read", fix: "Use an OpenSSH or PEM private key, or put the key into an SSH agent." };
};

const publicPart = (key: ParsedKey) => key.getPublicSSH().toString("base64");

/** A key from its text; the library's own errors are not passed on, as they may quote the text. */
const parse = (text: string): ParsedKey | "encrypted" | undefined => {
    const parsed: unknown = ssh2.utils.parseKey(`${text.replace(/\r\n?/g, "\n").trim()}\n`);
    const key: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
    if (key instanceof Error) return /passphrase/i.test(key.message) ? "encrypted" : undefined;
    return key as ParsedKey;
};

const textOf = async (path: string): Promise<string | { readonly why: string }> => {
    try {
        const text = await readFile(path, "utf8");
        return text.length <= KEY_FILE_BYTES_MAX ? text : { why: "it is too large for a key" };
    } catch (thrown) {
        const code = (thrown as NodeJS.ErrnoException).code;
        return { why: code === "ENOENT" ? ABSENT : `it cannot be read (${code})` };
    }
};

const agentKeys = async (socket: string | undefined): Promise<{ keys: readonly AgentKey[]; passedOver: readonly string[] }> => {
    if (socket === undefined) return { keys: [], passedOver: [] };
    const agent = ssh2.createAgent(socket);
    const { promise, resolve } = Promise.withResolvers<readonly ParsedKey[] | undefined>();
    const timer = setTimeout(() => resolve(undefined), AGENT_LIST_MS);
    agent.getIdentities((error, keys) => resolve(error || !keys ? undefined : [...keys].flatMap(parsedIdentity)));
    const keys = await promise;
    clearTimeout(timer);
    if (keys === undefined) return { keys: [], passedOver: [`the SSH agent at ${socket} (it does not answer)`] };
    return {
        keys: keys.map((key) => {
            const one = new OneKeyAgent(agent, key);
            return { key, agent: one, label: `${key.comment || key.type} (SSH agent)`, method: { type: "agent", agent: one } };
        }),
        passedOver: [],
    };
};

const parsedIdentity = (identity: unknown): ParsedKey[] => {
    const parsed: unknown = ssh2.utils.parseKey(identity as Buffer);
    return parsed instanceof Error ? [] : [parsed as ParsedKey];
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
