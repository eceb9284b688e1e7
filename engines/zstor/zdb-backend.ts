import { type Backend, BackendError, type BackendFailure, type NamespaceInfo, type ScanPage } from "./backend.ts";
import { parseBackendUrl } from "./backend-url.ts";
import { CONNECTIONS } from "./limits.ts";
import { RespConnection } from "./resp-connection.ts";
import { RefusalReply, type Reply } from "./resp-reader.ts";
import type { Clock } from "./surroundings.ts";

/** A namespace of a Zero-DB server, of ours or the original. Connections are made when they are needed, and again when they have failed. */
export function zdbBackend(url: string, clock: Clock): Backend {
    const address = parseBackendUrl(url);
    const connections: (Promise<RespConnection> | undefined)[] = new Array(CONNECTIONS).fill(undefined);
    let next = 0;
    let closed = false;

    const connection = (): Promise<RespConnection> => {
        if (closed) return Promise.reject(new BackendError("unreachable", "the engine has let go of it"));
        const slot = next++ % CONNECTIONS;
        const there = connections[slot];
        if (there) return there;
        const drop = () => {
            if (connections[slot] === made) connections[slot] = undefined;
        };
        const made: Promise<RespConnection> = RespConnection.open(address, clock, drop);
        connections[slot] = made;
        made.catch(drop);
        return made;
    };
    const ask = async (command: string, ...words: Uint8Array[]): Promise<Reply> => {
        const reply = await (await connection()).ask([Buffer.from(command), ...words]);
        if (reply instanceof RefusalReply && !ABSENCE.has(reply.text)) throw new BackendError(failureOf(command, reply.text), reply.text);
        return reply;
    };
    return {
        async get(key) {
            const reply = await ask("GET", key);
            if (reply === undefined || Buffer.isBuffer(reply)) return reply;
            throw strange("GET");
        },
        async set(key, value) {
            // Nil: the same value was there.
            const reply = await ask("SET", key, value);
            if (reply instanceof RefusalReply) throw strange("SET");
        },
        async delete(key) {
            await ask("DEL", key);
        },
        async scan(cursor) {
            return pageOf(await (cursor ? ask("SCAN", cursor) : ask("SCAN")));
        },
        async info() {
            const reply = await ask("NSINFO", Buffer.from(address.namespace));
            if (Buffer.isBuffer(reply)) return infoOf(reply.toString("utf8"));
            throw strange("NSINFO");
        },
        close() {
            closed = true;
            for (const made of connections) made?.then((open) => open.close()).catch(() => undefined);
        },
    };
}

/** Errors that mean that there is nothing. */
const ABSENCE = new Set(["No more data", "Key not found"]);

/** What a server says to a GET when the checksum of the value is wrong or its disk does not give it. */
const UNREADABLE = "Internal Error";

function failureOf(command: string, text: string): BackendFailure {
    if (command === "GET" && text === UNREADABLE) return "damaged";
    if (/^(No space left|Namespace definitely full)/.test(text)) return "full";
    return /^(Access denied|Permission denied|Namespace (not found|protected))/.test(text) ? "denied" : "refused";
}

function pageOf(reply: Reply): ScanPage {
    if (reply instanceof RefusalReply) return { entries: [] };
    const [cursor, entries] = Array.isArray(reply) ? (reply as readonly Reply[]) : [];
    if (!Buffer.isBuffer(cursor) || !Array.isArray(entries)) throw strange("SCAN");
    return {
        next: cursor,
        entries: (entries as readonly Reply[]).map((entry) => {
            const [key, length, written] = Array.isArray(entry) ? (entry as readonly Reply[]) : [];
            if (!Buffer.isBuffer(key) || typeof length !== "number" || typeof written !== "number") throw strange("SCAN");
            return { key, lengthBytes: length, writtenMs: written * 1000 };
        }),
    };
}

/** NSINFO is lines of `key: value`. */
export function infoOf(text: string): NamespaceInfo {
    const facts = new Map<string, string>();
    for (const line of text.split(/\r?\n/)) {
        const colon = line.indexOf(": ");
        if (colon > 0) facts.set(line.slice(0, colon), line.slice(colon + 2));
    }
    const number = (name: string): number => {
        const value = Number(facts.get(name));
        if (!facts.has(name) || !Number.isFinite(value)) throw new BackendError("refused", `NSINFO says nothing of ${name}`);
        return value;
    };
    const limit = number("data_limits_bytes");
    const durability = facts.get("durability");
    const closed = facts.get("worm") === "yes" ? "written once (worm)" : undefined;
    const locked = facts.get("locked") === "yes" ? "locked" : undefined;
    return {
        mode: facts.get("mode") === "userkey" ? "user" : "sequential",
        entries: number("entries"),
        usedBytes: number("data_size_bytes"),
        diskFreeBytes: number("data_disk_freespace_bytes"),
        state: closed ?? locked ?? facts.get("state") ?? "ok",
        ...(limit > 0 ? { limitBytes: limit } : {}),
        ...(durability === undefined ? {} : { durability }),
    };
}

function strange(command: string): BackendError {
    return new BackendError("refused", `what came to ${command} is no answer of a Zero-DB`);
}
