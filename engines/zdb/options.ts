import * as fs from "node:fs";
import { errorCode } from "./disk.ts";
import { DEFAULT_DURABILITY, type Durability, parseDurability } from "./durability.ts";
import { ERASE_AFTER_HOURS, MAX_ADMIN_PASSWORD_BYTES, SCRUB_BYTES_PER_SECOND } from "./limits.ts";
import { formatAddress, type ListenAddress, parseAddress } from "./listen-address.ts";
import { DEFAULT_PORT, type Flag, isFlag, isValueName, type ValueName } from "./option-names.ts";
import type { Mode } from "./properties.ts";
import { StartError } from "./refusal.ts";

/** PEM files: a certificate with its chain, its key, and whose signature clients must show. */
export interface TlsFiles {
    readonly cert: string;
    readonly key: string;
    readonly ca: string | undefined;
}

/** What a server is started with. */
export interface ServerOptions {
    readonly data: string;
    readonly index: string;
    readonly listen: readonly ListenAddress[];
    readonly socket: string | undefined;
    readonly adminSocket: string | undefined;
    readonly admin: string | undefined;
    readonly closed: boolean;
    /** NSLIST and NSINFO tell everybody about private namespaces. */
    readonly showAll: boolean;
    /** STOP of an administrator ends the server. */
    readonly allowStop: boolean;
    /** `default` has the password of the administrator, and is read-only without it. */
    readonly protect: boolean;
    /** What TCP listeners speak TLS with. */
    readonly tls: TlsFiles | undefined;
    /** Program run at events. */
    readonly hook: string | undefined;
    /** Segments are rewritten; with a hook only where that is asked for, since it may copy them away. */
    readonly compacts: boolean;
    /** Where a segment ends; by the quota when undefined. */
    readonly datasize: number | undefined;
    /** After how many seconds a namespace that was written to begins a new segment; 0 for never. */
    readonly rotateS: number;
    /** After how many hours what was overwritten or deleted is gone from the disk; 0 for when compaction comes to it. */
    readonly eraseAfterHours: number;
    /** How much of the closed segments is read in a second to find damage; 0 for nothing. */
    readonly scrubBytesPerSecond: number;
    readonly background: boolean;
    readonly logfile: string | undefined;
    readonly verbose: boolean;
    /** Opens everything, says what is there, and ends. */
    readonly dump: boolean;
    readonly mode: Mode | undefined;
    readonly durability: Durability;
    /** Limit of live bytes of `default`, for this run. */
    readonly maxsize: number;
    readonly sealKeyFile: string | undefined;
}

export type ParsedOptions =
    | { readonly action: "serve"; readonly options: ServerOptions; readonly warnings: readonly string[] }
    | { readonly action: "help" }
    | { readonly action: "version" };

const KIB = 1024;
const SIZE_UNITS: Readonly<Record<string, number>> = { k: KIB, M: KIB ** 2, G: KIB ** 3, T: KIB ** 4 };
/** Offsets in a segment have 32 bits. */
const MIN_DATASIZE = 512 * KIB;
const MAX_DATASIZE = 4 * KIB ** 3 - 2;
/** Slower than that a round would never end. */
const MIN_SCRUB_BYTES = 4 * KIB;
const MAX_ROTATE_S = 365 * 24 * 3600;
const MAX_ERASE_HOURS = 10 * 365 * 24;

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
            throw new StartError(`${unknown(name, place)}: see zeroform-agent zdb --help`);
        }
    }
    if (given.flags.has("help")) return { action: "help" };
    if (given.flags.has("version")) return { action: "version" };
    for (const file of configs) readConfig(file, given);
    return { action: "serve", options: serverOptions(given), warnings: warnings(given) };
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
        showAll: given.flags.has("show-all"),
        allowStop: given.flags.has("allow-stop"),
        protect: isProtected(given),
        tls: tlsFiles(given),
        hook: given.one("hook"),
        compacts: !given.has("hook") || given.flags.has("compact"),
        datasize: datasize(given.one("datasize")),
        rotateS: wholeNumber("rotate", given.one("rotate") ?? "0", MAX_ROTATE_S),
        scrubBytesPerSecond: scrubRate(given.one("scrub")),
        eraseAfterHours: wholeNumber("erase-after", given.one("erase-after") ?? String(ERASE_AFTER_HOURS), MAX_ERASE_HOURS),
        background: given.flags.has("background"),
        logfile: given.one("logfile"),
        verbose: given.flags.has("verbose"),
        dump: given.flags.has("dump"),
        mode: mode(given),
        durability: durability(given),
        maxsize: wholeNumber("maxsize", given.one("maxsize") ?? "0", Number.MAX_SAFE_INTEGER),
        sealKeyFile: given.one("seal-key-file"),
    };
}

/** What was accepted and is not what it may seem. */
function warnings(given: Given): string[] {
    const isDirect = given.one("mode") === "direct" ? ["--mode direct is another word for seq"] : [];
    const isForeground = given.has("logfile") && !given.flags.has("background");
    return [...isDirect, ...(isForeground ? ["--logfile is for --background only, lines go to standard output"] : [])];
}

function isProtected(given: Given): boolean {
    const isAsked = given.flags.has("protect");
    if (isAsked && !given.has("admin")) throw new StartError("--protect needs a password: give --admin too");
    return isAsked;
}

function tlsFiles(given: Given): TlsFiles | undefined {
    const [cert, key, ca] = [given.one("tls-cert"), given.one("tls-key"), given.one("tls-ca")];
    if (cert !== undefined && key !== undefined) return { cert, key, ca };
    if (cert === undefined && key === undefined && ca === undefined) return undefined;
    throw new StartError("TLS needs both --tls-cert and --tls-key");
}

/** Bytes, or a decimal with k, M, G or T, as the original reads it; NaN for anything else. */
function sizeOf(text: string): number {
    const match = /^(\d{1,12}(?:\.\d{1,6})?)([kMGT]?)$/.exec(text);
    return match ? Math.floor(Number(match[1]) * (SIZE_UNITS[match[2] ?? ""] ?? 1)) : Number.NaN;
}

function scrubRate(text: string | undefined): number {
    if (text === undefined) return SCRUB_BYTES_PER_SECOND;
    const bytes = sizeOf(text);
    if (bytes === 0 || (bytes >= MIN_SCRUB_BYTES && bytes <= MAX_DATASIZE)) return bytes;
    throw new StartError(`--scrub is 0, or ${MIN_SCRUB_BYTES} to ${MAX_DATASIZE} bytes in a second, such as 8M, not ${text}`);
}

function datasize(text: string | undefined): number | undefined {
    if (text === undefined) return undefined;
    const bytes = sizeOf(text);
    if (bytes >= MIN_DATASIZE && bytes <= MAX_DATASIZE) return bytes;
    throw new StartError(`--datasize is ${MIN_DATASIZE} to ${MAX_DATASIZE} bytes, such as 64M, not ${text}`);
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
    if (text === "direct") return "seq";
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

/** What is wrong with a word that is no option. The word itself may hold a secret that slipped in. */
function unknown(name: string, place: number): string {
    if (isFlag(name)) return `option --${name} takes no value`;
    if (name !== "") return `unknown option --${name}`;
    return place === 0 ? "the first word is no option and no tool (check, repair, import, dump)" : `word ${place + 1} is no option`;
}
