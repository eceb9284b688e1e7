import { type ErrorFacts, ZeroformError } from "../../protocol/errors.ts";
import { fingerprint, type HostKey, type KnownKey } from "./known-hosts.ts";
import { describeTarget, type Target } from "./target.ts";

/** What is known of a host before it is dialled. */
export interface Trust {
    /** From the program or pinned at first contact: the only key that counts. */
    readonly pinned: HostKey | undefined;
    readonly known: readonly KnownKey[];
    /** The key in the host's certificate, of an authority that known_hosts trusts. */
    readonly vouched?: HostKey | undefined;
}

/** Why a presented key is refused; undefined when it may be trusted: it is the expected one, or there was no expectation and none has to be. */
export const judgeHostKey = (presented: HostKey, { pinned, known, vouched }: Trust, target: Target): ZeroformError | undefined => {
    const revoked = known.find(({ key, marker }) => marker === "@revoked" && key === presented);
    if (revoked)
        return refusal(target, {
            message: `the host key of ${describeTarget(target)}, ${fingerprint(presented)}, is marked as revoked in ${revoked.file}`,
            hint: "Find out why it was revoked; the machine needs another host key.",
        });
    if (pinned !== undefined) return pinned === presented ? undefined : changed(pinned, presented, target);
    if (vouched !== undefined && vouched === presented) return undefined;
    const trusted = known.filter(({ marker }) => marker === undefined);
    if (vouched !== undefined && trusted.length === 0) return changed(vouched, presented, target);
    if (trusted.some(({ key }) => key === presented)) return undefined;
    if (trusted.length === 0) return target.trustsKnownOnly ? unknown(presented, target) : undefined;
    // Of several keys, the one of the same type is the one that was replaced.
    const old = trusted.find(({ key }) => typeOf(key) === typeOf(presented)) ?? trusted[0];
    return changed(old?.key ?? "", presented, target, old?.file);
};

/** ssh2's names of host key algorithms, those first for which a key is known: another type would look like a changed key. */
export const hostKeyAlgorithms = ({ pinned, known, vouched }: Trust): HostKeyAlgorithm[] => {
    const expected = pinned ?? vouched;
    const wanted =
        expected === undefined ? known.filter(({ marker }) => marker === undefined).map(({ key }) => typeOf(key)) : [typeOf(expected)];
    const preferred = ALGORITHMS.filter((algorithm) => wanted.includes(keyTypeOf(algorithm)));
    return [...preferred, ...ALGORITHMS.filter((algorithm) => !preferred.includes(algorithm))];
};

export const ALGORITHMS = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
    "ssh-rsa",
] as const;
export type HostKeyAlgorithm = (typeof ALGORITHMS)[number];

const keyTypeOf = (algorithm: HostKeyAlgorithm): string => (algorithm.startsWith("rsa-") ? "ssh-rsa" : algorithm);
const typeOf = (key: HostKey): string => key.split(" ")[0] ?? "";

const unknown = (presented: HostKey, target: Target): ZeroformError =>
    refusal(target, {
        message: `the host key of ${describeTarget(target)}, ${fingerprint(presented)} (${typeOf(presented)}), is not known, and ~/.ssh/config says StrictHostKeyChecking yes`,
        hint: `Compare it on the machine with ssh-keygen -lf, then ${whereToSay(target)} to "${presented}", or have it in known_hosts.`,
    });

/** A jump host of ~/.ssh/config has no entry that could be given a key. */
const whereToSay = ({ isHop }: Target): string =>
    isHop ? "set hostKey of that entry of via (name the hosts in via where ~/.ssh/config does)" : "set the Node's hostKey";

const changed = (old: HostKey, presented: HostKey, target: Target, file?: string): ZeroformError => {
    const forget = file === undefined ? "" : ` or run: ssh-keygen -R "${target.knownAs}" -f "${file}"`;
    const expectation = file === undefined ? "the one kept in hostKey" : `the one in ${file}`;
    return refusal(target, {
        message:
            `the host key of ${describeTarget(target)} is ${fingerprint(presented)} (${typeOf(presented)}), ` +
            `not ${expectation}, ${fingerprint(old)} (${typeOf(old)})`,
        hint:
            `If you know why it changed, ${whereToSay(target)} to "${presented}"${forget}; ` +
            (target.isHop ? "" : 'if the machine was reinstalled, also change the Node\'s machine (such as machine: "2"); ') +
            "otherwise somebody may be listening in between.",
    });
};

const refusal = (target: Target, facts: Pick<ErrorFacts, "message" | "hint">) =>
    new ZeroformError({ code: "SSH_HOST_KEY", action: "connect", node: target.alias, ...facts });
