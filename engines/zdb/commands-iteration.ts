import { checkRead } from "./access.ts";
import { argument, type Call, type Command, holdUntil } from "./command.ts";
import { decodeCursor, decodeVersion, encodeCursor, encodeVersion } from "./cursor.ts";
import { Lanes } from "./lanes.ts";
import { KSCAN_LANES, KSCAN_REPLY_BYTES, MAX_KEY_BYTES, MAX_KSCAN_KEYS, SCAN_ENTRIES, SCAN_SLICE_MS } from "./limits.ts";
import type { ScanEntry } from "./log-iteration.ts";
import type { Namespace } from "./namespace.ts";
import { type Cursor, type ScannedKeys, scanNamespace, versionOf } from "./namespace-reading.ts";
import { Refusal } from "./refusal.ts";

/** What a key takes in an answer beside its own bytes, at most. */
const KEY_FRAME_BYTES = 8;

/** KSCAN gathers before it answers: only some at a time may hold that much. */
const searches = new Lanes(KSCAN_LANES);

export const ITERATION_COMMANDS: Readonly<Record<string, Command>> = {
    SCAN: { operation: "scan", run: (call) => scan(call, 1) },
    SCANX: { operation: "scan", run: (call) => scan(call, 1) },
    RSCAN: { operation: "scan", run: (call) => scan(call, -1) },
    KSCAN: { operation: "scan", argc: [2, 2], run: (call) => searches.run(() => kscan(call)) },
    HISTORY: { operation: "read", argc: [2, 3], argcError: "Invalid arguments", run: history },
};

/** `SCAN [<cursor>]`: what a slice of time finds, one key at least; the end is an error. */
function scan(call: Call, direction: 1 | -1): undefined | Promise<void> {
    const { namespace } = call.session;
    checkRead(call.session, call.context.closed);
    const given = call.args[1];
    const part = slice(namespace, given && decodeCursor(given), direction);
    return isComplete(part) ? answerScan(call, part) : scanOn(call, part, direction);
}

/** There may be many records that are not live before the next key: other clients are served between two slices. */
async function scanOn(call: Call, first: ScannedKeys, direction: 1 | -1): Promise<void> {
    let part = first;
    while (!isComplete(part)) {
        await turn();
        part = slice(call.session.namespace, part.cursor, direction);
    }
    answerScan(call, part);
}

const isComplete = ({ entries, isEnd }: ScannedKeys): boolean => isEnd || entries.length > 0;

function answerScan(call: Call, { entries, cursor }: ScannedKeys): undefined {
    const { reply, session } = call;
    if (entries.length === 0) throw new Refusal("No more data", { lsn: call.session.namespace.log.lastLsn });
    const from = reply.size;
    reply.array(2);
    reply.bulk(encodeCursor(cursor));
    reply.array(entries.length);
    for (const entry of entries) addEntry(call, entry);
    holdUntil(call, session.namespace, session.namespace.log.lastLsn, from);
}

function addEntry({ reply }: Call, { block, keyStart, keyLength, length, timestamp }: ScanEntry): void {
    reply.array(3);
    reply.bulkFrom(block, keyStart, keyLength);
    reply.integer(length);
    // Signed, as the original prints it.
    reply.integer(timestamp | 0);
}

/** `KSCAN <prefix>`: all keys that begin with it, in one answer. */
async function kscan(call: Call): Promise<void> {
    const { context, session, reply } = call;
    checkRead(session, context.closed);
    if (session.namespace.properties.mode !== "user") throw new Refusal("Index running mode doesn't support this feature");
    const keys = await keysWithPrefix(call, argument(call, 1));
    if (keys.length === 0) throw new Refusal("No keys match", { lsn: session.namespace.log.lastLsn });
    const from = reply.size;
    reply.array(2);
    reply.text("0");
    reply.array(keys.length);
    for (const key of keys) reply.bulk(key);
    holdUntil(call, session.namespace, session.namespace.log.lastLsn, from);
}

async function keysWithPrefix({ session }: Call, prefix: Buffer): Promise<Buffer[]> {
    const keys: Buffer[] = [];
    let bytes = 0;
    let cursor: Cursor | undefined;
    for (;;) {
        const part = slice(session.namespace, cursor, 1);
        for (const { key } of part.entries) {
            if (!key.subarray(0, prefix.length).equals(prefix)) continue;
            // A copy, since the key is a part of a whole block of the log.
            keys.push(Buffer.from(key));
            bytes += key.length + KEY_FRAME_BYTES;
            if (keys.length > MAX_KSCAN_KEYS || bytes > KSCAN_REPLY_BYTES) throw new Refusal("Too many keys match, use SCAN");
        }
        if (part.isEnd) return keys;
        cursor = part.cursor;
        await turn();
    }
}

function slice(namespace: Namespace, from: Cursor | undefined, direction: 1 | -1): ScannedKeys {
    if (namespace.gone) throw new Refusal("Your active namespace is not available anymore (probably removed).", { closes: true });
    return scanNamespace(namespace, from, direction, { entries: SCAN_ENTRIES, ms: SCAN_SLICE_MS });
}

/** `HISTORY <key> [<version>]`: the value of that version and the name of the one before it. */
function history(call: Call): undefined {
    const { context, session, reply } = call;
    const key = argument(call, 1);
    if (key.length > MAX_KEY_BYTES) throw new Refusal("Invalid key");
    checkRead(session, context.closed);
    const given = call.args[2];
    const { previousLsn, lsn, timestamp, payload } = versionOf(session.namespace, key, given && decodeVersion(given));
    if (!payload) throw new Refusal("Internal Error");
    const from = reply.size;
    reply.array(3);
    if (previousLsn === undefined) reply.nil();
    else reply.bulk(encodeVersion(previousLsn));
    reply.text(String(timestamp));
    reply.bulk(payload);
    holdUntil(call, session.namespace, lsn, from);
}

/** Lets everything else that is ready go first. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
