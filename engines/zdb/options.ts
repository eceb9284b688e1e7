import * as fs from "node:fs";
import { errorCode } from "./disk.ts";
import { DEFAULT_DURABILITY, type Durability, parseDurability } from "./durability.ts";
import { MAX_ADMIN_PASSWORD_BYTES } from "./limits.ts";
import { formatAddress, type ListenAddress, parseAddress } from "./listen-address.ts";
import type { Mode } from "./properties.ts";
import { StartError } from "./refusal.ts";

/** What a server is started with. */
export interface ServerOptions {
    readonly data: string;
    readonly index: string;
    readonly listen: readonly ListenAddress[];
    readonly socket: string | undefined;
    readonly adminSocket: string | undefined;
    readonly admin: string | undefined;
    readonly closed: boolean;
    readonly mode: Mode | undefined;
    readonly durability: Durability;
    /** Limit of live bytes of `default`, for this run. */
    readonly maxsize: number;
    readonly sealKeyFile: string | undefined;
}

export type ParsedOptions =
    | { readonly action: "serve"; readonly options: ServerOptions }
    | { readonly action: "help" }
    | { readonly action: "version" };

const FLAGS = ["sync", "closed", "dualnet", "help", "version"] as const;
const VALUES = [
    "data",
    "index",
    "listen",
    "port",
    "socket",
    "admin-socket",
    "admin",
    "mode",
    "synctime",
    "maxsize",
    "seal-key-file",
] as const;
type Flag = (typeof FLAGS)[number];
type ValueName = (typeof VALUES)[number];
const isFlag = (name: string): name is Flag => FLAGS.some((flag) => flag === name);
const isValueName = (name: string): name is ValueName => VALUES.some((value) => value === name);

export const DEFAULT_PORT = 9900;

export const HELP = `usage: zeroform-agent zdb [options]

A Zero-DB server: an always-append key-value store that speaks the Redis protocol.

  --data <dir>            segments of all namespaces (default ./zdb-data)
  --index <dir>           files that can be rebuilt from the data (default ./zdb-index)
  --listen <address>      address to listen on, or address:port; repeat it or join several by commas
                          (default 127.0.0.1: other machines cannot connect; :: is every interface)
  --port <n>              port of addresses written without one (default ${DEFAULT_PORT})
  --socket <path>         unix socket; no TCP then, unless --dualnet is given
  --dualnet               unix socket and TCP together
  --admin <password>      only clients that gave it administer (default: every client may)
  --admin-socket <path>   unix socket for its owner only (0600), whose clients administer and enter every namespace;
                          clients of other listeners administer only with --admin then
  --closed                no TCP listener and no use of the namespace "default": each namespace is reachable
                          through the addresses of its own "listen" property only
  --mode user|seq         mode of all namespaces (default: each has its own)
  --sync                  a write is on disk before it is answered (durability "commit")
  --synctime <seconds>    a power loss takes at most that many seconds (default: durability "interval 1s")
  --maxsize <bytes>       limit of the namespace "default", for this run
  --seal-key-file <file>  32 random bytes (0600) that seal passwords on disk
  --config <file>         JSON with these names as keys, so that no secret is in the process list;
                          what is on the command line wins
  --version, --help
`;

/** Reads the command line; throws a StartError that says what is wrong with it. */
export function parseOptions(argv: readonly string[]): ParsedOptions {
    const given = new Given();
    const configs: string[] = [];
    for (let place = 0; place < argv.length; place++) {
        const word = argv[place] ?? "";
        const match = /^--?([a-z][a-z-]*)(?:=(.*))?$/s.exec(word);
        const name = match?.[1] ?? "";
        if (isFlag(name) && match?.[2] === undefined) {
            given.flags.add(name);
        } else if (isValueName(name) || name === "config") {
            const value = match?.[2] ?? argv[++place];
            if (value === undefined) throw new StartError(`option --${name} needs a value`);
            if (name === "config") configs.push(value);
            else given.add(name, value);
        } else {
            // The word itself may hold a secret that slipped in.
            throw new StartError(`unknown option ${match ? `--${name}` : `at place ${place + 1}`}: see zeroform-agent zdb --help`);
        }
    }
    if (given.flags.has("help")) return { action: "help" };
    if (given.flags.has("version")) return { action: "version" };
    for (const file of configs) readConfig(file, given);
    return { action: "serve", options: serverOptions(given) };
}

class Given {
    readonly flags = new Set<Flag>();
    private readonly values = new Map<ValueName, string[]>();

    add(name: ValueName, value: string): void {
        this.values.set(name, [...(this.values.get(name) ?? []), value]);
    }

    has(name: ValueName): boolean {
        return this.values.has(name);
    }

    /** The last one given. */
    one(name: ValueName): string | undefined {
        return this.values.get(name)?.at(-1);
    }

    all(name: ValueName): readonly string[] {
        return this.values.get(name) ?? [];
    }
}

function readConfig(file: string, given: Given): void {
    let config: unknown;
    try {
        config = JSON.parse(fs.readFileSync(file, "utf8"));
    } catch (error) {
        const why = error instanceof SyntaxError ? "it is not JSON" : errorCode(error);
        throw new StartError(`cannot read the configuration ${file} (${why})`);
    }
    if (typeof config !== "object" || config === null || Array.isArray(config)) {
        throw new StartError(`the configuration ${file} must be a JSON object with option names as keys`);
    }
    for (const [name, value] of Object.entries(config)) {
        if (isFlag(name) && typeof value === "boolean") {
            if (value) given.flags.add(name);
        } else if (isValueName(name)) {
            if (given.has(name)) continue;
            for (const one of Array.isArray(value) ? value : [value]) {
                if (typeof one !== "string" && typeof one !== "number")
                    throw new StartError(`${name} in ${file} must be a string or a number`);
                given.add(name, String(one));
            }
        } else {
            throw new StartError(`unknown option ${name} in ${file}: see zeroform-agent zdb --help`);
        }
    }
}

function serverOptions(given: Given): ServerOptions {
    const data = given.one("data") ?? "./zdb-data";
    const index = given.one("index") ?? "./zdb-index";
    if (data === index) throw new StartError("--data and --index must be different directories");
    const closed = given.flags.has("closed");
    const socket = given.one("socket");
    const tcpWanted = !closed && (socket === undefined || given.flags.has("dualnet"));
    if (closed && (given.has("listen") || given.has("port"))) {
        throw new StartError(
            "--closed opens no listener of its own: leave out --listen and --port and set the listen property of namespaces",
        );
    }
    const admin = given.one("admin");
    if (admin !== undefined && (admin === "" || admin.length > MAX_ADMIN_PASSWORD_BYTES)) {
        throw new StartError(`the password of --admin must have 1 to ${MAX_ADMIN_PASSWORD_BYTES} characters`);
    }
    return {
        data,
        index,
        listen: tcpWanted ? listenAddresses(given) : [],
        socket,
        adminSocket: given.one("admin-socket"),
        admin,
        closed,
        mode: mode(given),
        durability: durability(given),
        maxsize: wholeNumber("maxsize", given.one("maxsize") ?? "0", Number.MAX_SAFE_INTEGER),
        sealKeyFile: given.one("seal-key-file"),
    };
}

function listenAddresses(given: Given): ListenAddress[] {
    const port = wholeNumber("port", given.one("port") ?? String(DEFAULT_PORT), 65_535);
    if (port === 0) throw new StartError("--port must be 1 to 65535");
    const texts = given.has("listen") ? given.all("listen").flatMap((list) => list.split(",")) : ["127.0.0.1"];
    const addresses = new Map<string, ListenAddress>();
    for (const text of texts) {
        const address = parseAddress(text.trim(), port);
        if (!address) throw new StartError(`cannot listen on ${text}: give an IP address, address:port or [address]:port`);
        addresses.set(formatAddress(address), address);
    }
    return [...addresses.values()];
}

function mode(given: Given): Mode | undefined {
    const text = given.one("mode");
    if (text === undefined || text === "user" || text === "seq") return text;
    throw new StartError(`--mode is user or seq, not ${text}`);
}

function durability(given: Given): Durability {
    if (given.flags.has("sync")) return { kind: "commit" };
    const seconds = given.one("synctime");
    if (seconds === undefined) return DEFAULT_DURABILITY;
    const parsed = parseDurability(`interval ${seconds}s`);
    if (!parsed) throw new StartError(`--synctime is a number of seconds from 1 to 3600, not ${seconds}`);
    return parsed;
}

function wholeNumber(name: string, text: string, most: number): number {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value) || value > most) throw new StartError(`--${name} is a whole number up to ${most}, not ${text}`);
    return value;
}
