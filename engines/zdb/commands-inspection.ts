import { checkRead } from "./access.ts";
import { type Call, type Command, holdUntil, keyArgument, textArgument } from "./command.ts";
import { subcommand } from "./commands-control.ts";
import { crc32c } from "./crc32c.ts";
import { encodeCursor } from "./cursor.ts";
import { CHECKSUM_STEP_BYTES } from "./limits.ts";
import { rawRecord } from "./namespace-raw.ts";
import { verifyValue } from "./namespace-reading.ts";
import type { LiveRecord } from "./place.ts";
import { Refusal } from "./refusal.ts";

/** What CHECK answers. */
const VERDICTS = { intact: 1, damaged: 0, unreadable: -1 } as const;

export const INSPECTION_COMMANDS: Readonly<Record<string, Command>> = {
    CHECK: { operation: "read", argc: [2, 2], refusesEmpty: true, run: check },
    LENGTH: { operation: "read", argc: [2, 2], refusesEmpty: true, run: (call) => tell(call, ({ place }) => place.length) },
    KEYTIME: { operation: "read", argc: [2, 2], refusesEmpty: true, run: (call) => tell(call, ({ head }) => head.timestamp) },
    KEYCUR: { argc: [2, 2], refusesEmpty: true, run: keyCursor },
    DATA: { admin: true, argc: [2, Number.MAX_SAFE_INTEGER], argcError: "Missing arguments", run: data },
};

/** Whether the value of a key can be read and is what was written. */
function check(call: Call): undefined {
    const { context, session, reply } = call;
    const { namespace } = session;
    const key = keyArgument(call, 1);
    checkRead(session, context.closed);
    const from = reply.size;
    const { verdict, lsn } = verifyValue(namespace, key);
    if (verdict === undefined) reply.nil();
    else reply.integer(VERDICTS[verdict]);
    holdUntil(call, namespace, lsn, from);
}

/** A number about the value of a key, nil when there is none. */
function tell(call: Call, number: (record: LiveRecord) => number): undefined {
    const { context, session, reply } = call;
    const { namespace } = session;
    const key = keyArgument(call, 1);
    checkRead(session, context.closed);
    const from = reply.size;
    const record = namespace.find(key);
    if (record) reply.integer(number(record));
    else reply.nil();
    holdUntil(call, namespace, namespace.dependency(record), from);
}

/** The cursor with which SCAN goes on after this key, RSCAN before it. */
function keyCursor(call: Call): undefined {
    const { context, session, reply } = call;
    const { namespace } = session;
    const key = keyArgument(call, 1);
    checkRead(session, context.closed);
    const record = namespace.find(key);
    if (!record) throw new Refusal("Key not found", { lsn: namespace.dependency(undefined) });
    const from = reply.size;
    reply.bulk(encodeCursor({ epoch: namespace.log.epoch, lsn: record.head.lsn }));
    holdUntil(call, namespace, record.head.lsn, from);
}

/** `DATA RAW <file> <offset>`: a record as it lies in the log; its offsets are ours. */
function data(call: Call): Promise<void> {
    const word = subcommand(call);
    if (word !== "RAW") throw new Refusal("Unknown DATA subcommand");
    if (call.args.length < 4) throw new Refusal("Missing arguments");
    checkRead(call.session, call.context.closed);
    return raw(call, decimal(call, 2), decimal(call, 3));
}

async function raw(call: Call, file: number, offset: number): Promise<void> {
    const { session, reply } = call;
    const { namespace } = session;
    const { key, previousOffset, flags, timestamp, payload, lsn } = rawRecord(namespace, file, offset);
    const crc = flags === 0 ? await checksum(payload) : 0;
    const from = reply.size;
    reply.array(6);
    reply.bulk(key);
    reply.integer(previousOffset);
    reply.text(`0x${crc.toString(16).padStart(8, "0")}`);
    reply.integer(flags);
    reply.integer(timestamp);
    if (payload.length > 0) reply.bulk(payload);
    else reply.nil();
    holdUntil(call, namespace, lsn, from);
}

/** In steps: 8 MiB at once would keep everybody waiting. */
async function checksum(payload: Buffer): Promise<number> {
    let crc = 0;
    for (let at = 0; at < payload.length; at += CHECKSUM_STEP_BYTES) {
        if (at > 0) await new Promise((resolve) => setImmediate(resolve));
        crc = crc32c(payload.subarray(at, at + CHECKSUM_STEP_BYTES), crc);
    }
    return crc;
}

/** As C's atoi: what is no number is 0. */
function decimal(call: Call, place: number): number {
    return Math.max(0, Number.parseInt(textArgument(call, place), 10) || 0);
}
