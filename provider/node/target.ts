import { homedir, userInfo } from "node:os";
import { isAbsolute, join } from "node:path";
import { ZeroformError } from "../../protocol/errors.ts";
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
    readonly knownHostsFiles: readonly string[];
    /** Become root by sudo. */
    readonly sudo: boolean;
}

const USUAL_KEYS = ["id_ed25519", "id_ecdsa", "id_rsa"];
const SSH_PORT = 22;

/** The host as it is dialled. Reads ssh's configuration only: no name is looked up and nothing is sent. */
export const resolveTarget = (reach: Reach, env: NodeJS.ProcessEnv = process.env): Target => {
    const home = env.HOME || homedir();
    const settings = readHostSettings(configFiles(home), reach.host, reach.user, home);
    refuseProxies(settings, reach.host);
    const address = one(settings, "hostname")?.replaceAll("%h", reach.host) ?? reach.host;
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
        knownHostsFiles: knownHostsFiles(settings, home).map(expand),
        sudo: reach.sudo ?? user !== "root",
    };
};

/** `host (address:port)`, as short as it is unambiguous. */
export const describeTarget = ({ alias, address, port }: Target): string => {
    const place = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
    return alias === address ? place : `${alias} (${place})`;
};

const configFiles = (home: string): ConfigFile[] => [
    { path: join(home, ".ssh", "config"), includesFrom: join(home, ".ssh") },
    { path: "/etc/ssh/ssh_config", includesFrom: "/etc/ssh" },
];

/** A way through another host that is not taken would end as a timeout that nobody understands. */
const refuseProxies = (settings: HostSettings, host: string) => {
    for (const parameter of ["ProxyJump", "ProxyCommand"]) {
        const value = one(settings, parameter.toLowerCase());
        if (value !== undefined && value.toLowerCase() !== "none")
            throw new ZeroformError({
                code: "SSH_CONFIG",
                message: `the SSH configuration of ${host} has ${parameter}, and zeroform connects directly only`,
                hint: "Give host an address that this machine reaches directly, such as one inside a VPN or a forwarded port.",
                node: host,
            });
    }
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
