import { ZeroformError } from "../../protocol/errors.ts";
import { type Certificate, isSignedByItsAuthority, outOfDate } from "./certificate.ts";
import { askForHostCertificate } from "./host-certificate.ts";
import type { Trust } from "./host-key.ts";
import { fingerprint, type KnownKey, knownKeys } from "./known-hosts.ts";
import { describeTarget, type Target } from "./target.ts";
import type { Transport } from "./transport.ts";

/**
 * What is known of a host before it is dialled. Where known_hosts trusts an authority for it, and nothing is pinned, the host is asked for
 * its certificate, and the key in it is the one to expect: a host whose authority is known is never trusted on first use.
 */
export const trustIn = async (target: Target, open: () => Promise<Transport>, signal: AbortSignal, timeoutMs: number): Promise<Trust> => {
    const found = knownFor(target);
    const authorities = found.filter(({ marker }) => marker === "@cert-authority");
    const known = found.filter(({ marker }) => marker !== "@cert-authority");
    const trust: Trust = { pinned: target.hostKey, known };
    if (target.hostKey !== undefined || authorities.length === 0) return trust;
    const certificate = await askForHostCertificate(await open(), signal, timeoutMs);
    const objection = objectionTo(certificate, { authorities, known, target });
    if (objection === undefined && certificate) return { ...trust, vouched: certificate.key };
    // A key that known_hosts has beside the authority is as good.
    if (known.some(({ marker }) => marker === undefined)) return trust;
    throw new ZeroformError({
        code: "SSH_HOST_KEY",
        action: "connect",
        node: target.alias,
        message: `${describeTarget(target)} ${objection}, and ${authorities[0]?.file} trusts it by that authority only`,
        hint: 'Renew its certificate (HostCertificate in its sshd_config), or give the machine\'s own key as hostKey ("ssh-ed25519 AAAA...").',
    });
};

/** What is said of a host's name, as opposed to its key, holds for every port of it, as it does for ssh. */
const knownFor = ({ knownHostsFiles, knownAs, knownOnAnyPortAs }: Target): readonly KnownKey[] => {
    const found = knownKeys(knownHostsFiles, knownAs);
    if (knownOnAnyPortAs === knownAs) return found;
    return [...found, ...knownKeys(knownHostsFiles, knownOnAnyPortAs).filter(({ marker }) => marker !== undefined)];
};

interface Grounds {
    readonly authorities: readonly KnownKey[];
    readonly known: readonly KnownKey[];
    readonly target: Target;
}

/** Why a certificate does not vouch for a host; undefined when it does. */
export const objectionTo = (certificate: Certificate | undefined, { authorities, known, target }: Grounds): string | undefined => {
    const wanted = authorities.map(({ key }) => fingerprint(key)).join(" or ");
    if (!certificate) return `shows no host certificate of the authority ${wanted}`;
    const name = `host certificate "${certificate.id}"`;
    const revoked = (key: string) => known.some((each) => each.marker === "@revoked" && each.key === key);
    if (!authorities.some(({ key }) => key === certificate.authority))
        return `shows ${name} of the authority ${fingerprint(certificate.authority)}, not of ${wanted}`;
    if (revoked(certificate.authority) || revoked(certificate.key)) return `shows ${name}, whose key or authority is marked as revoked`;
    if (!isSignedByItsAuthority(certificate)) return `shows ${name} with a signature that is not its authority's`;
    if (certificate.purpose !== "host") return `shows ${name}, which is one for users`;
    if (certificate.criticalOptions.length > 0) return `shows ${name} with unknown conditions (${certificate.criticalOptions.join(", ")})`;
    const names = [target.hostKeyAlias ?? target.address].map((each) => each.toLowerCase());
    if (certificate.principals.length > 0 && !certificate.principals.some((each) => names.includes(each.toLowerCase())))
        return `shows ${name}, which is for ${certificate.principals.join(", ")}`;
    const stale = outOfDate(certificate, new Date());
    return stale === undefined ? undefined : `shows ${name}, which ${stale}`;
};
