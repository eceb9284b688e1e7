import { DEFAULT_DURABILITY, type Durability, formatDurability, parseDurability } from "./durability.ts";
import { MAX_PROPERTY_VALUE_BYTES } from "./limits.ts";
import { formatListen, type ListenAddress, parseListen } from "./listen-address.ts";
import { type NamespaceTls, parseTls, UNREADABLE_TLS } from "./namespace-tls.ts";
import { Refusal } from "./refusal.ts";
import { formatRetention, parseRetention, RETENTION_TEXTS, type Retention } from "./retention.ts";

export type Mode = "user" | "seq";
/** Locked: no writes. Frozen: no reads either. One or the other, as the protocol has it. */
export type Access = "open" | "locked" | "frozen";

/** What a namespace is set to. Every change is a record of its log. */
export interface Properties {
    mode: Mode;
    /** Empty for none. */
    password: string;
    public: boolean;
    worm: boolean;
    access: Access;
    /** Limit of live payload bytes, 0 for none. */
    maxsize: number;
    /** undefined: the server's. */
    durability: Durability | undefined;
    listen: readonly ListenAddress[];
    /** undefined: versions are there until compaction comes to them. */
    history: Retention | undefined;
    /** Program that is told what happens to it; empty: the server's, or none. */
    hook: string;
    /** Of its listeners; undefined: the server's, or none. */
    tls: NamespaceTls | undefined;
}

/** Names of the properties in the log. `lock` and `freeze` of the protocol are the one property `access`. */
export type PropertyName = keyof Properties;
export const PROPERTY_NAMES: readonly PropertyName[] = [
    "mode",
    "password",
    "public",
    "worm",
    "access",
    "maxsize",
    "durability",
    "listen",
    "history",
    "hook",
    "tls",
];

export function newProperties(mode: Mode): Properties {
    return {
        mode,
        password: "",
        public: true,
        worm: false,
        access: "open",
        maxsize: 0,
        durability: undefined,
        listen: [],
        history: undefined,
        hook: "",
        tls: undefined,
    };
}

/** Those that are sealed on the disk where the server has a key. */
export const SECRET_PROPERTIES: readonly string[] = ["password", "tls"] satisfies readonly PropertyName[];

/** One change, as asked by NSSET or read from the log. */
export interface PropertyChange {
    readonly name: PropertyName;
    /** Its text in the log. */
    readonly text: string;
}

/** Translates `NSSET <ns> <property> <value>`; throws the protocol's Refusal. */
export function propertyChange(property: string, value: string): PropertyChange {
    switch (property) {
        case "mode":
            if (value !== "user" && value !== "seq") throw new Refusal("Invalid property value (expected: user, seq)");
            return { name: "mode", text: value };
        case "lock":
            return { name: "access", text: isOn(value) ? "locked" : "open" };
        case "freeze":
            return { name: "access", text: isOn(value) ? "frozen" : "open" };
        case "public":
        case "worm":
            return { name: property, text: isOn(value) ? "1" : "0" };
        case "maxsize":
            return { name: "maxsize", text: String(parseBytes(value)) };
        case "password":
            if (value.length > MAX_PROPERTY_VALUE_BYTES) throw new Refusal("Argument too long");
            return { name: "password", text: value === "*" ? "" : value };
        case "durability": {
            const durability = parseDurability(value);
            if (!durability) throw new Refusal("Invalid property value (expected: none, interval <n>s, interval <n>ms, commit)");
            return { name: "durability", text: formatDurability(durability) };
        }
        case "history": {
            const retention = parseRetention(value);
            if (retention === false) throw new Refusal(`Invalid property value (expected: ${RETENTION_TEXTS})`);
            return { name: "history", text: formatRetention(retention) };
        }
        case "listen": {
            const addresses = parseListen(value);
            if (!addresses)
                throw new Refusal("Invalid property value (expected: address:port,address:port with IP addresses, or * for none)");
            return { name: "listen", text: formatListen(addresses) };
        }
        case "tls": {
            if (value === "*") return { name: "tls", text: "" };
            const tls = parseTls(value);
            if (tls?.kind !== "certificate")
                throw new Refusal('Invalid property value (expected: {"cert": "...", "key": "...", "ca": "..."} with PEM texts, or *)');
            return { name: "tls", text: tls.text };
        }
        case "hook":
            if (value !== "*" && !isProgram(value))
                throw new Refusal("Invalid property value (expected: the absolute path of a program, or *)");
            return { name: "hook", text: value === "*" ? "" : value };
        default:
            throw new Refusal("Invalid property");
    }
}

/** Puts a change into effect; false when its text is none this version knows, which only a newer version writes. */
export function applyProperty(properties: Properties, { name, text }: PropertyChange): boolean {
    switch (name) {
        case "mode":
            if (text !== "user" && text !== "seq") return false;
            properties.mode = text;
            return true;
        case "access":
            if (text !== "open" && text !== "locked" && text !== "frozen") return false;
            properties.access = text;
            return true;
        case "public":
        case "worm":
            properties[name] = text === "1";
            return true;
        case "maxsize":
            properties.maxsize = Number(text);
            return Number.isSafeInteger(properties.maxsize);
        case "password":
            properties.password = text;
            return true;
        case "hook":
            properties.hook = text;
            return text === "" || isProgram(text);
        case "durability":
            properties.durability = parseDurability(text);
            return properties.durability !== undefined;
        case "history": {
            const retention = parseRetention(text);
            if (retention === false) return false;
            properties.history = retention;
            return true;
        }
        case "listen":
            properties.listen = parseListen(text) ?? [];
            return true;
        case "tls": {
            const tls = text === "" ? undefined : (parseTls(text) ?? UNREADABLE_TLS);
            properties.tls = tls;
            return tls?.kind !== "unreadable" || text === tls.text;
        }
    }
}

/** The changes that make these properties of those of a new namespace; of a `tls` that cannot be read there is no text. */
export function propertyChanges(properties: Properties): PropertyChange[] {
    const { mode, password, public: isPublic, worm, access, maxsize, durability, listen, history, tls, hook } = properties;
    const changes: readonly (PropertyChange | undefined)[] = [
        mode === "user" ? undefined : { name: "mode", text: mode },
        password === "" ? undefined : { name: "password", text: password },
        isPublic ? undefined : { name: "public", text: "0" },
        worm ? { name: "worm", text: "1" } : undefined,
        access === "open" ? undefined : { name: "access", text: access },
        maxsize === 0 ? undefined : { name: "maxsize", text: String(maxsize) },
        durability && { name: "durability", text: formatDurability(durability) },
        hook === "" ? undefined : { name: "hook", text: hook },
        history && { name: "history", text: formatRetention(history) },
        listen.length === 0 ? undefined : { name: "listen", text: formatListen(listen) },
        tls?.kind === "certificate" ? { name: "tls", text: tls.text } : undefined,
    ];
    return changes.filter((change) => change !== undefined);
}

export const isPropertyName = (name: string): name is PropertyName => PROPERTY_NAMES.some((known) => known === name);

export const durabilityOf = (properties: Properties, server: Durability = DEFAULT_DURABILITY): Durability =>
    properties.durability ?? server;

const isProgram = (text: string): boolean => /^\/[\x20-\x7e]+$/.test(text);

const isOn = (value: string): boolean => value.startsWith("1");

/** Digits only: the original's lenient reading turns a slip of the pen into "no limit". */
function parseBytes(value: string): number {
    const bytes = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
    if (!Number.isSafeInteger(bytes)) throw new Refusal("Invalid property value (expected: bytes)");
    return bytes;
}
