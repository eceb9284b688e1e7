import { homedir, userInfo } from "node:os";
import { isAbsolute, join } from "node:path";
import { ZeroformError } from "../../protocol/errors.ts";
import { type Hop, hopsIn } from "../../schema/hop.ts";
import type { Reach } from "../../schema/on-node.ts";
import { type ConfigFile, type HostSettings, readHostSettings } from "./ssh-config.ts";

/** A host as it is dialled: what the program says, completed by ssh's configuration. Holds no secret. */
export interface Target {
    /** What the program calls it. */
    readonly alias: string;
    readonly address: string;
    readonly port: number;
    readonly user: string;
    /** The key file that the program named; then nothing else is tried. */
    readonly identityFile: string | undefined;
    /** Key files of ssh's configuration, or else ssh's usual ones, as absolute paths in the order to try. */
    readonly identityFiles: readonly string[];
    /** Keys of the SSH agent are tried only where they belong to one of the key files. */
    readonly identitiesOnly: boolean;
    readonly agentSocket: string | undefined;
    /** `<type> <base64>`, given by the program or pinned at first contact. */
    readonly hostKey: string | undefined;
    /** The name that known_hosts has it under: `name`, or `[name]:port`. */
    readonly knownAs: string;
    /** The same without its port. */
    readonly knownOnAnyPortAs: string;
    /** StrictHostKeyChecking yes: what nobody vouches for is refused, also at first contact. */
    readonly trustsKnownOnly: boolean;
    /** HostKeyAlias of ssh's configuration: what a host certificate has to be for. */
    readonly hostKeyAlias: string | undefined;
    readonly knownHostsFiles: readonly string[];
    /** Become root by sudo. */
    readonly sudo: boolean;
    /** How ssh's configuration says that it is dialled. */
    readonly proxy: Proxy;
    /** Certificates of ssh's configuration to log in with, as absolute paths. */
    readonly certificateFiles: readonly string[];
    /** It is a jump host on the way to a node, which errors say. */
    readonly isHop: boolean;
    /** The jump host before it on the way, or the program that connects to it, as errors call it. */
    readonly through: string | undefined;
}

export type Proxy =
    | { readonly kind: "none" }
    | { readonly kind: "jump"; readonly hops: readonly Hop[] }
    /** A program whose input and output are the connection. */
    | { readonly kind: "command"; readonly command: string };

type Whereabouts = Pick<Reach, "host" | "port" | "user" | "hostKey" | "identityFile" | "sudo">;

const USUAL_KEYS = ["id_ed25519", "id_ecdsa", "id_rsa"];
const SSH_PORT = 22;

/** The host as it is dialled. Reads ssh's configuration only: no name is looked up and nothing is sent. */
export const resolveTarget = (reach: Whereabouts, env: NodeJS.ProcessEnv = process.env): Target => {
    const home = env.HOME || homedir();
    const settings = readHostSettings(configFiles(home), reach.host, reach.user, home);
    const address = bare(one(settings, "hostname")?.replace(/%([h%])/g, (_, token) => (token === "h" ? reach.host : "%")) ?? reach.host);
    const port = reach.port ?? Number(one(settings, "port") ?? SSH_PORT);
    const user = reach.user ?? one(settings, "user") ?? "root";
    const expand = (path: string) => expandPath(path, { home, host: address, alias: reach.host, port, user });
    const configured = many(settings, "identityfile").map(expand);
    const usual = USUAL_KEYS.map((name) => join(home, ".ssh", name));
    const name = (one(settings, "hostkeyalias") ?? address).toLowerCase();
    return {
        alias: reach.host,
        address,
        port,
        user,
        identityFile: reach.identityFile === undefined ? undefined : expand(reach.identityFile),
        identityFiles: configured.length > 0 ? configured : usual,
        identitiesOnly: /^yes$/i.test(one(settings, "identitiesonly") ?? ""),
        agentSocket: agentSocket(one(settings, "identityagent"), env, expand),
        hostKey: reach.hostKey,
        knownAs: port === SSH_PORT || one(settings, "hostkeyalias") ? name : `[${name}]:${port}`,
        knownOnAnyPortAs: name,
        trustsKnownOnly: /^yes$/i.test(one(settings, "stricthostkeychecking") ?? ""),
        hostKeyAlias: one(settings, "hostkeyalias"),
        knownHostsFiles: knownHostsFiles(settings, home).map(expand),
        sudo: reach.sudo ?? user !== "root",
        proxy: proxyIn(settings, { alias: reach.host, host: address, port, user }),
        certificateFiles: many(settings, "certificatefile").map(expand),
        isHop: false,
        through: undefined,
    };
};

/** Where somebody wrote an IPv6 address as it stands before a port. */
const bare = (host: string): string => /^\[(.*)\]$/.exec(host)?.[1] ?? host;

/** `host (address:port)`, as short as it is unambiguous, with what is before it on the way. */
export const describeTarget = ({ alias, address, port, isHop, through }: Target): string => {
    const place = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
    const name = alias === address ? place : `${alias} (${place})`;
    return `${isHop ? "jump host " : ""}${name}${through === undefined ? "" : ` through ${through}`}`;
};

const configFiles = (home: string): ConfigFile[] => [
    { path: join(home, ".ssh", "config"), includesFrom: join(home, ".ssh") },
    { path: "/etc/ssh/ssh_config", includesFrom: "/etc/ssh" },
];

/** Of ProxyJump and ProxyCommand the first one counts, as in ssh. */
const proxyIn = (settings: HostSettings, context: CommandContext): Proxy => {
    const name = Object.keys(settings).find((parameter) => parameter === "proxyjump" || parameter === "proxycommand");
    const value = name === undefined ? undefined : one(settings, name);
    if (value === undefined || value.toLowerCase() === "none") return { kind: "none" };
    if (name === "proxycommand") return { kind: "command", command: proxyCommand(value, settings, context) };
    const hops = hopsIn(value);
    if (hops) return { kind: "jump", hops };
    throw new ZeroformError({
        code: "SSH_CONFIG",
        message: `the SSH configuration of ${context.alias} has a ProxyJump that is no list of hosts: ${value}`,
        hint: "Write it as user@host:port, with commas between several.",
        node: context.alias,
    });
};

interface CommandContext {
    readonly alias: string;
    readonly host: string;
    readonly port: number;
    readonly user: string;
}

/** Words that a shell reads otherwise than as words do not get into its command line. */
const SHELL_SAFE = /^[\w.:%@+][\w.:%@+-]*$/;

const proxyCommand = (written: string, settings: HostSettings, { alias, host, port, user }: CommandContext): string => {
    const tokens: Record<string, string> = { h: host, n: alias, p: String(port), r: user, "%": "%" };
    const refuse = (message: string, hint: string) => new ZeroformError({ code: "SSH_CONFIG", message, hint, node: alias });
    if (/^yes$/i.test(one(settings, "proxyusefdpass") ?? ""))
        throw refuse(
            `the SSH configuration of ${alias} has ProxyUseFdpass, which zeroform does not speak`,
            "Use a ProxyCommand that passes the data through its input and output.",
        );
    return written.replace(/%(.)/g, (whole, token: string) => {
        const value = tokens[token];
        if (value === undefined)
            throw refuse(`the ProxyCommand of ${alias} has ${whole}, which zeroform does not know`, "It knows %h, %n, %p, %r and %%.");
        if (token !== "%" && !SHELL_SAFE.test(value))
            throw refuse(
                `${alias} is reached by a ProxyCommand, and ${whole} would put characters into it that a shell reads as more than words`,
                "Use a host and a user of letters, digits, dots and hyphens.",
            );
        return value;
    });
};

const agentSocket = (configured: string | undefined, env: NodeJS.ProcessEnv, expand: (path: string) => string): string | undefined => {
    if (configured === undefined || configured === "SSH_AUTH_SOCK") return env.SSH_AUTH_SOCK || undefined;
    if (configured.toLowerCase() === "none") return undefined;
    return configured.startsWith("$") ? env[configured.replace(/^\$\{?(\w+)\}?$/, "$1")] : expand(configured);
};

const knownHostsFiles = (settings: HostSettings, home: string): string[] => {
    const users = many(settings, "userknownhostsfile");
    const global = many(settings, "globalknownhostsfile");
    return [
        ...(users.length > 0 ? users : [join(home, ".ssh", "known_hosts"), join(home, ".ssh", "known_hosts2")]),
        ...(global.length > 0 ? global : ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]),
    ].filter((path) => path.toLowerCase() !== "none");
};

interface PathContext {
    readonly home: string;
    readonly host: string;
    readonly alias: string;
    readonly port: number;
    readonly user: string;
}

const expandPath = (path: string, { home, host, alias, port, user }: PathContext): string => {
    const tokens: Record<string, string> = { d: home, h: host, n: alias, p: String(port), r: user, u: userInfo().username, "%": "%" };
    const full = path.replace(/^~(?=\/|$)/, home).replace(/%(.)/g, (whole, token: string) => tokens[token] ?? whole);
    return isAbsolute(full) ? full : join(process.cwd(), full);
};

const many = (settings: HostSettings, parameter: string): readonly string[] => {
    const value = settings[parameter];
    if (value === undefined) return [];
    return typeof value === "string" ? [value] : value;
};

const one = (settings: HostSettings, parameter: string): string | undefined => many(settings, parameter)[0];
