import { createHash } from "node:crypto";
import { ZeroformError } from "../../protocol/errors.ts";
import type { Reach } from "../../schema/on-node.ts";
import { describeTarget, resolveTarget, type Target } from "./target.ts";

/** What a program gave to log in with beside paths. */
export interface Secrets {
    readonly privateKey?: string | undefined;
    readonly passphrase?: string | undefined;
}

/** The way to a host: the host, the secrets to log in there with, and the jump host before it. */
export interface Route {
    readonly target: Target;
    readonly secrets: Secrets;
    readonly via: Route | undefined;
}

/** Far more than anybody needs, so more is a configuration that leads back to itself. */
const HOPS_MAX = 8;

/** The way that the program says, completed by ssh's configuration of every host on it. Asks nobody. */
export const resolveRoute = (reach: Reach, env: NodeJS.ProcessEnv = process.env): Route =>
    routeTo(reach, { env, pins: pinsIn(reach.hopKeys ?? []), depth: 0, isHop: false });

/** A host with the one jump host before it, for those who know of one at most. */
export const destinationOf = ({ target, via }: Route) => {
    const isOnly = via !== undefined && via.via === undefined && via.target.proxy.kind === "none";
    return {
        ...target,
        hop: isOnly ? { ...via.target, privateKey: via.secrets.privateKey, passphrase: via.secrets.passphrase } : undefined,
    };
};

/** Everything that tells one way to a host from another, but for host keys. Secrets by digest. */
export const wayOf = ({ target, secrets, via }: Route): string => {
    const { alias: _, hostKey: __, through: ___, isHop: ____, ...way } = target;
    const digest = Object.keys(secrets).length === 0 ? undefined : createHash("sha256").update(JSON.stringify(secrets)).digest("base64");
    return JSON.stringify([way, digest, via && wayOf(via)]);
};

interface Context {
    readonly env: NodeJS.ProcessEnv;
    /** Host keys of hops by the name that known_hosts has them under. */
    readonly pins: ReadonlyMap<string, string>;
    readonly depth: number;
    readonly isHop: boolean;
}

type Stop = Parameters<typeof resolveTarget>[0] & Secrets & Pick<Reach, "via">;

const routeTo = (stop: Stop, context: Context): Route => {
    const { env, pins, depth, isHop } = context;
    if (depth > HOPS_MAX) throw leadsBack(stop.host);
    const found = resolveTarget(stop, env);
    const own: Target = { ...found, isHop, hostKey: found.hostKey ?? (isHop ? pins.get(found.knownAs) : undefined) };
    const { privateKey, passphrase } = stop;
    const secrets = { ...(privateKey !== undefined && { privateKey }), ...(passphrase !== undefined && { passphrase }) };
    const proxy: Target["proxy"] = stop.via === undefined ? own.proxy : { kind: "jump", hops: stop.via };
    const last = proxy.kind === "jump" ? proxy.hops.at(-1) : undefined;
    if (proxy.kind !== "jump" || last === undefined) {
        const through = proxy.kind === "command" ? "its ProxyCommand" : undefined;
        return { target: { ...own, proxy: proxy.kind === "command" ? proxy : { kind: "none" }, through }, secrets, via: undefined };
    }
    const before = proxy.hops.slice(0, -1);
    // The first of several hops is reached as ssh's configuration says of it, each other one through the one before.
    const via = routeTo({ ...last, ...(before.length > 0 && { via: before }) }, { ...context, depth: depth + 1, isHop: true });
    return { target: { ...own, proxy: { kind: "none" }, through: nameOf(via.target) }, secrets, via };
};

const nameOf = (target: Target): string => describeTarget({ ...target, isHop: false, through: undefined });

const leadsBack = (host: string): ZeroformError =>
    new ZeroformError({
        code: "SSH_CONFIG",
        message: `the way to ${host} has more than ${HOPS_MAX} jump hosts`,
        hint: "A ProxyJump in ~/.ssh/config that holds for the jump host too leads back to itself: give the jump host ProxyJump none.",
        node: host,
    });

/** Pins as the state has them: `<name in known_hosts> <type> <base64>`. */
const pinsIn = (lines: readonly string[]): Map<string, string> =>
    new Map(
        lines.map((line) => {
            const space = line.indexOf(" ");
            return [line.slice(0, space), line.slice(space + 1)];
        }),
    );

export const pinOf = ({ knownAs }: Target, hostKey: string): string => `${knownAs} ${hostKey}`;
