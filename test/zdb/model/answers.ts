import { expect } from "vitest";
import { parseRetention } from "../../../engines/zdb/retention.ts";
import { error, ok, type Reply } from "../resp-client.ts";
import type { ModelCommand } from "./commands.ts";
import type { Contents, Version } from "./contents.ts";

/** So many cursors, and names of versions, are remembered, old ones too. */
const MOST_HELD = 8;
const NO_CURSOR = "no cursor is so short";

/** What an answer told that a later command may go on from. */
interface Held {
    readonly bytes: string;
    readonly epoch: number;
    readonly version: Version;
}

/** A client that knows what the namespace holds, and so what must be answered. */
export class KnowingClient {
    contents: Contents;
    private readonly isTidied: boolean;
    private cursors: Held[] = [];
    private versions: Held[] = [];

    constructor(contents: Contents, isTidied: boolean) {
        this.contents = contents;
        this.isTidied = isTidied;
    }

    /** The key of a command: in sequential mode an id, of which some were never given out. */
    key(number: number): string {
        if (this.contents.mode === "user") return `key ${number}`;
        const id = Buffer.alloc(8);
        id.writeUInt32LE(number);
        return id.toString("latin1");
    }

    /** In sequential mode, SET of key 0 asks for a new id. */
    private keyToSet(number: number): string {
        return this.contents.mode === "seq" && number === 0 ? "" : this.key(number);
    }

    /** The command on the wire, for a namespace of this name. */
    request(command: ModelCommand, namespace: string): (string | Buffer)[] {
        const time = (timestamp: number | undefined): string[] => (timestamp === undefined ? [] : [String(timestamp)]);
        switch (command.do) {
            case "set":
                return ["SET", this.keyToSet(command.key), Buffer.from(command.value), ...time(command.timestamp)];
            case "del":
                return ["DEL", this.key(command.key), ...time(command.timestamp)];
            case "mget":
                return ["MGET", ...command.keys.map((key) => this.key(key))];
            case "scan":
            case "rscan":
                return command.held === undefined ? [command.do] : [command.do, this.heldCursor(command.held)?.bytes ?? NO_CURSOR];
            case "kscan":
                return ["KSCAN", command.prefix];
            case "history": {
                const version = command.held === undefined ? undefined : this.heldVersion(command.held);
                return ["HISTORY", this.key(command.key), ...(version ? [version.bytes] : [])];
            }
            case "nsset":
                return ["NSSET", namespace, command.property, command.value];
            case "dbsize":
            case "flush":
            case "nsjump":
                return [command.do];
            default:
                return [command.do, this.key(command.key)];
        }
    }

    /** Commands that were sent together have the cursors that were known then. */
    sending(command: ModelCommand): (reply: Reply) => undefined {
        const cursor = "held" in command && command.held !== undefined ? this.heldCursor(command.held) : undefined;
        const version = "held" in command && command.held !== undefined ? this.heldVersion(command.held) : undefined;
        return (reply) => {
            // A server that tidies by itself may do so between two commands.
            if (this.isTidied) this.contents.mayHaveForgotten();
            switch (command.do) {
                case "set":
                    return this.set(command, reply);
                case "del":
                    return this.del(command, reply);
                case "scan":
                case "rscan":
                    return this.scan(command.do === "scan", command.held === undefined ? "none" : (cursor ?? "invalid"), reply);
                case "history":
                    return this.history(this.key(command.key), version, reply);
                case "nsset":
                    return this.nsset(command.property, command.value, reply);
                case "flush":
                    return this.flush(reply);
                case "nsjump":
                    return same(reply, ok);
                case "dbsize":
                    return same(reply, this.contents.entries.length);
                case "kscan":
                    return this.kscan(command.prefix, reply);
                case "mget": {
                    const values = command.keys.map((key) => latin1(this.contents.get(this.key(key))?.value));
                    return same(reply, this.whyNotRead ?? values);
                }
                default:
                    return this.tell(command.do, this.key(command.key), reply);
            }
        };
    }

    /** Segments were rewritten, or may have been. */
    mayHaveForgotten(): void {
        this.contents.mayHaveForgotten();
    }

    /** It is what it was once. What answers told since then means nothing any more. */
    goBack(contents: Contents): void {
        const known = (held: Held): boolean => held.epoch === contents.epoch && contents.wasWritten(held.version.key, held.version.value);
        const before = contents.entries.reduce((most, { order }) => Math.max(most, order), -1);
        this.contents = contents;
        this.cursors = this.cursors.filter((held) => known(held) && held.version.order <= before);
        this.versions = this.versions.filter((held) => known(held) && held.version.order <= before);
    }

    private get whyNotRead(): Reply | undefined {
        return this.contents.access === "frozen" ? error("Namespace is temporarily frozen (read-write disabled)") : undefined;
    }

    private get whyNotWritten(): Reply | undefined {
        if (this.contents.access === "locked") return error("Namespace is temporarily locked (read-only)");
        return this.whyNotRead;
    }

    private set({ key: number, value, timestamp }: ModelCommand & { do: "set" }, reply: Reply): undefined {
        const { contents } = this;
        const key = this.keyToSet(number);
        const before = contents.get(key);
        const refusal = this.whyNotWritten ?? this.whyNotSet(key, value, before);
        if (refusal) return same(reply, refusal);
        if (before?.value === value) return same(reply, null);
        const stored = key === "" ? this.key(contents.nextId) : key;
        expect(reply).toBe(stored);
        contents.write(stored, value, timestamp);
    }

    private whyNotSet(key: string, value: string, before: Version | undefined): Reply | undefined {
        const { worm, maxsize, liveBytes, mode } = this.contents;
        if (before && worm) return error("Namespace is protected by worm mode");
        const size = (text: string): number => Buffer.byteLength(text);
        if (maxsize > 0 && liveBytes + size(value) > maxsize + size(before?.value ?? "")) return error("No space left on this namespace");
        return mode === "seq" && key !== "" && !before ? error("Invalid key, only update authorized") : undefined;
    }

    private del({ key: number }: ModelCommand & { do: "del" }, reply: Reply): undefined {
        const { contents } = this;
        const key = this.key(number);
        if (this.whyNotWritten) return same(reply, this.whyNotWritten);
        if (!contents.get(key)) return same(reply, error("Key not found"));
        if (contents.worm) return same(reply, error("Cannot delete a key when namespace is in worm mode"));
        expect(reply).toEqual(ok);
        contents.delete(key);
    }

    private tell(what: "get" | "exists" | "length" | "keytime" | "check" | "keycur", key: string, reply: Reply): undefined {
        const version = this.contents.get(key);
        if (this.whyNotRead) return same(reply, this.whyNotRead);
        if (what === "exists") return same(reply, version ? 1 : 0);
        if (!version) return same(reply, what === "keycur" ? error("Key not found") : null);
        switch (what) {
            case "get":
                return same(reply, latin1(version.value));
            case "length":
                return same(reply, Buffer.byteLength(version.value));
            case "check":
                return same(reply, 1);
            case "keytime":
                return sameTime(reply, version);
            case "keycur":
                return this.hold(this.cursors, reply, version);
        }
    }

    private scan(isForward: boolean, from: Held | "none" | "invalid", reply: Reply): undefined {
        const { contents } = this;
        if (this.whyNotRead) return same(reply, this.whyNotRead);
        if (from === "invalid" || (from !== "none" && from.epoch !== contents.epoch)) return same(reply, error("Invalid key format"));
        const after = from === "none" ? undefined : from.version.order;
        const forwards = contents.entries.filter(({ order }) => after === undefined || (isForward ? order > after : order < after));
        const wanted = isForward ? forwards : [...forwards].reverse();
        if (wanted.length === 0) return same(reply, error("No more data"));

        const [cursor, entries] = items(reply);
        // As many as a slice of time finds, one at least.
        const listed = wanted.slice(0, Math.max(1, items(entries).length));
        expect(items(entries).map((entry) => items(entry).slice(0, 2))).toEqual(
            listed.map(({ key, value }) => [key, Buffer.byteLength(value)]),
        );
        for (const [place, entry] of items(entries).entries()) {
            const version = listed[place];
            if (version) sameTime(items(entry)[2], version);
        }
        const last = listed.at(-1);
        if (last) this.hold(this.cursors, cursor, last);
    }

    private kscan(prefix: string, reply: Reply): undefined {
        const { contents } = this;
        if (this.whyNotRead) return same(reply, this.whyNotRead);
        if (contents.mode === "seq") return same(reply, error("Index running mode doesn't support this feature"));
        const keys = contents.entries.map(({ key }) => key).filter((key) => key.startsWith(prefix));
        expect(reply).toEqual(keys.length > 0 ? ["0", keys] : error("No keys match"));
    }

    private history(key: string, asked: Held | undefined, reply: Reply): undefined {
        const { contents } = this;
        if (this.whyNotRead) return same(reply, this.whyNotRead);
        const newest = contents.get(key);
        if (!newest) return same(reply, error("Key not found"));
        const isOfBefore = asked !== undefined && asked.epoch !== contents.epoch;
        const version = asked?.version ?? newest;
        const absent = [error("Invalid arguments (index query)")];
        if (isOfBefore || version.key !== key) absent.push(error("Invalid arguments (invalid key)"));
        if (!Array.isArray(reply)) {
            expect(absent).toContainEqual(reply);
            return same(!isOfBefore && version.key === key && contents.isSure(version), false);
        }
        const [previous, time, payload] = items(reply);
        if (isOfBefore) return same(contents.wasWritten(key, utf8(payload)), true);
        expect(version.key).toBe(key);
        expect(payload).toBe(latin1(version.value));
        if (version.timestamp !== undefined) expect(time).toBe(String(version.timestamp));
        if (!version.previous) return same(previous, null);
        if (previous === null) return same(contents.isSure(version.previous), false);
        this.hold(this.versions, previous, version.previous);
    }

    private nsset(property: string, value: string, reply: Reply): undefined {
        const { contents } = this;
        if (property === "maxsize" && !/^\d+$/.test(value)) return same(reply, error("Invalid property value (expected: bytes)"));
        if (property === "history" && parseRetention(value) === false)
            return same(reply, error(expect.stringContaining("Invalid property value") as unknown as string));
        expect(reply).toEqual(ok);
        if (property === "lock") contents.access = value === "1" ? "locked" : "open";
        if (property === "freeze") contents.access = value === "1" ? "frozen" : "open";
        if (property === "worm") contents.worm = value === "1";
        if (property === "public") contents.isPublic = value === "1";
        if (property === "password") contents.password = value === "*" ? "" : value;
        if (property === "maxsize") contents.maxsize = Number(value);
        if (property === "history") contents.setHistory(value);
    }

    private flush(reply: Reply): undefined {
        const { contents } = this;
        if (contents.isPublic || contents.password === "") return same(reply, error("Flushing public namespace denied"));
        if (this.whyNotWritten) return same(reply, this.whyNotWritten);
        if (contents.worm) return same(reply, error("Cannot flush a namespace that is in worm mode"));
        expect(reply).toEqual(ok);
        contents.empty();
    }

    /** The name of one and the same thing is always the same. */
    private hold(names: Held[], bytes: Reply | undefined, version: Version): undefined {
        if (typeof bytes !== "string") throw new Error(`no name: ${JSON.stringify(bytes)}`);
        const { epoch } = this.contents;
        const known = names.find((each) => each.epoch === epoch && each.version === version);
        if (known) return same(bytes, known.bytes);
        names.push({ bytes, epoch, version });
        if (names.length > MOST_HELD) names.shift();
    }

    private heldCursor(number: number): Held | undefined {
        return this.cursors[number % Math.max(1, this.cursors.length)];
    }

    private heldVersion(number: number): Held | undefined {
        return this.versions[number % Math.max(1, this.versions.length)];
    }
}

/** A judgement that says no more than that it came out well. */
function same(found: unknown, wanted: unknown): undefined {
    expect(found).toEqual(wanted);
}

function sameTime(reply: Reply | undefined, { timestamp }: Version): undefined {
    if (timestamp === undefined) expect(reply).toBeGreaterThan(1_700_000_000);
    else expect(reply).toBe(timestamp);
}

function items(reply: Reply | undefined): readonly Reply[] {
    if (!Array.isArray(reply)) throw new Error(`no array: ${JSON.stringify(reply)}`);
    return reply;
}

const latin1 = (text: string | undefined): string | null => (text === undefined ? null : Buffer.from(text).toString("latin1"));

const utf8 = (reply: Reply | undefined): string => Buffer.from(String(reply), "latin1").toString();
