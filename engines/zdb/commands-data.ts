import { checkCount, checkRead, checkWrite } from "./access.ts";
import { untilWarm } from "./cold-reads.ts";
import { argument, type Call, type Command, coldReads, holdUntil, keyArgument, textArgument } from "./command.ts";
import type { AnswerStream } from "./connection.ts";
import { MAX_ARGUMENTS, MAX_KEY_BYTES } from "./limits.ts";
import type { Namespace } from "./namespace.ts";
import type { LiveRecord } from "./place.ts";
import { unixSeconds } from "./record.ts";
import { Refusal } from "./refusal.ts";

const UNREADABLE = "Internal Error";

export const DATA_COMMANDS: Readonly<Record<string, Command>> = {
    SET: { operation: "write", argc: [3, 4], run: set },
    SETX: { operation: "write", argc: [3, 4], run: set },
    GET: { operation: "read", argc: [2, 2], refusesEmpty: true, run: get },
    MGET: { operation: "read", argc: [2, MAX_ARGUMENTS], argcError: "Invalid arguments", run: mget },
    DEL: { operation: "delete", argc: [2, 3], run: del },
    EXISTS: { operation: "read", argc: [2, 2], refusesEmpty: true, run: exists },
    DBSIZE: { run: dbsize },
};

function set(call: Call): undefined {
    const { context, session, reply } = call;
    const timestamp = timestampArgument(call, 3);
    const key = argument(call, 1);
    if (key.length > MAX_KEY_BYTES) throw new Refusal("Key too large");
    checkWrite(session, context.closed);

    const { namespace } = session;
    const value = argument(call, 2);
    const from = reply.size;
    const result = namespace.set(key, value, timestamp ?? unixSeconds());
    if (result.outcome === "unchanged") {
        reply.nil();
    } else {
        context.statistics.dataWriteBytes += value.length;
        context.turn.wrote(namespace.log);
        reply.bulk(result.key);
    }
    holdUntil(call, namespace, result.lsn, from);
}

function get(call: Call): undefined {
    const { context, session, reply } = call;
    const key = keyArgument(call, 1);
    checkRead(session, context.closed);

    const from = reply.size;
    const record = session.namespace.find(key, true);
    if (!record) reply.nil();
    else if (!addValue(call, session.namespace, record)) throw new Refusal(UNREADABLE);
    holdUntil(call, session.namespace, session.namespace.dependency(record), from);
}

/** Values are added one by one as the client takes them, so 1023 of 8 MiB need no memory for all. */
function mget(call: Call): AnswerStream {
    const { context, session, args } = call;
    for (const key of args.slice(1)) if (key.length > MAX_KEY_BYTES) throw new Refusal("Invalid key");
    checkRead(session, context.closed);
    return values(call, session.namespace);
}

function* values(call: Call, namespace: Namespace): AnswerStream {
    const { context, args, reply } = call;
    reply.array(args.length - 1);
    for (const key of args.slice(1)) {
        yield* untilWarm(coldReads(context, namespace), reply, () => addValueOrError(call, namespace, key));
        yield;
    }
}

/** A value that cannot be read is an error in its place, the others are not lost for it. */
function addValueOrError(call: Call, namespace: Namespace, key: Buffer): void {
    const { reply } = call;
    const from = reply.size;
    try {
        const record = key.length > 0 ? namespace.find(key, true) : undefined;
        if (!record) reply.nil();
        else if (!addValue(call, namespace, record)) reply.error(UNREADABLE);
        holdUntil(call, namespace, namespace.dependency(record), from);
    } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        reply.error(error.message);
    }
}

function del(call: Call): undefined {
    const { context, session, reply } = call;
    const timestamp = timestampArgument(call, 2, "numeric");
    const key = argument(call, 1);
    if (key.length === 0 && call.args.length === 2) throw new Refusal("Invalid argument");
    if (key.length > MAX_KEY_BYTES) throw new Refusal("Invalid key");
    checkWrite(session, context.closed);

    const from = reply.size;
    const lsn = session.namespace.delete(key, timestamp ?? unixSeconds());
    context.turn.wrote(session.namespace.log);
    reply.ok();
    holdUntil(call, session.namespace, lsn, from);
}

function exists(call: Call): undefined {
    const { context, session, reply } = call;
    const key = keyArgument(call, 1);
    checkRead(session, context.closed);

    const from = reply.size;
    const record = session.namespace.find(key);
    reply.integer(record ? 1 : 0);
    holdUntil(call, session.namespace, session.namespace.dependency(record), from);
}

/** Works on a frozen namespace too. */
function dbsize(call: Call): undefined {
    const { context, session, reply } = call;
    const { namespace } = session;
    checkCount(session, context.closed);

    const from = reply.size;
    reply.integer(namespace.entries);
    holdUntil(call, namespace, namespace.log.lastLsn, from);
}

function addValue({ reply, context }: Call, namespace: Namespace, record: LiveRecord): boolean {
    const { length } = record.place;
    const isHeld = namespace.log.gate(record.head.lsn) !== undefined;
    const fetched = isHeld ? undefined : namespace.fetchedValue(record);
    if (fetched) reply.attach(fetched);
    const isRead = fetched !== undefined || reply.filledBulk(length, (target, at) => namespace.readInto(record, target, at));
    if (isRead) context.statistics.dataReadBytes += length;
    else context.statistics.readFailures++;
    return isRead;
}

/** A timestamp of one's own is for administrators. Kept modulo 2^32; text that is no number is 0, or refused where that is asked. */
function timestampArgument(call: Call, place: number, rule: "numeric" | "lenient" = "lenient"): number | undefined {
    if (call.args.length <= place) return undefined;
    if (!call.session.admin) throw new Refusal("Permission denied");
    const text = textArgument(call, place);
    const digits = /^\s*([+-]?\d{1,20})/.exec(text)?.[1];
    if (rule === "numeric" && digits !== text) throw new Refusal("Invalid argument");
    return digits ? Number(BigInt.asUintN(32, BigInt(digits))) : 0;
}
