import { argument, type Call, type Command, textArgument } from "./command.ts";
import { MAX_PROPERTY_NAME_BYTES } from "./limits.ts";
import { Refusal } from "./refusal.ts";

const DEFAULT_WAIT_MS = 5000;
const MIN_WAIT_MS = 100;
const MAX_WAIT_MS = 1_800_000;
const MAX_WAIT_TEXT_BYTES = 16;

export const CONTROL_COMMANDS: Readonly<Record<string, Command>> = {
    WAIT: { argc: [2, 3], argcError: "Invalid arguments", run: wait },
    HOOKS: { admin: true, run: hooks },
    INDEX: { admin: true, argc: [2, Number.MAX_SAFE_INTEGER], argcError: "Missing arguments", run: index },
    MIRROR: { admin: true, run: ({ reply }) => void reply.status("Starting mirroring") },
    MASTER: { admin: true, run: ({ reply }) => void reply.status("Hello, master") },
    STOP: { run: stop },
    // It exists so that WAIT can name it.
    "*": { run: everything },
};

/** `WAIT <command> [<ms>]`: the answer comes when another client of the namespace runs that command, or as `-Timeout`. */
function wait(call: Call): undefined {
    const name = textArgument(call, 1).toUpperCase();
    if (!call.context.isCommand(name)) throw new Refusal("Unknown command to watch");
    call.context.watches.watch(call.connection, name, waitMs(call));
}

function waitMs(call: Call): number {
    if (call.args.length < 3) return DEFAULT_WAIT_MS;
    const text = textArgument(call, 2);
    const ms = text.length <= MAX_WAIT_TEXT_BYTES ? Number.parseInt(text, 10) : Number.NaN;
    if (ms >= MIN_WAIT_MS && ms <= MAX_WAIT_MS) return ms;
    throw new Refusal("Invalid timeout");
}

function hooks({ context, reply }: Call): undefined {
    const runs = context.hooks.list();
    reply.array(runs.length);
    for (const { event, args, pid, startedS, finishedS, code } of runs) {
        reply.array(6);
        reply.text(event);
        reply.array(args.length);
        for (const each of args) reply.bulk(Buffer.from(each));
        for (const number of [pid, startedS, finishedS, code]) reply.integer(number);
    }
}

/** `INDEX DIRTY [RESET]`. Our index files are written once, so none is ever dirty. */
function index(call: Call): undefined {
    if (subcommand(call) !== "DIRTY") throw new Refusal("Unknown INDEX subcommand");
    if (call.args.length !== 3) {
        call.reply.array(0);
        return;
    }
    if (textArgument(call, 2).toUpperCase() !== "RESET") throw new Refusal("Unknown INDEX DIRTY subcommand");
    call.reply.ok();
}

/** The word after the command's name, in upper case. */
export function subcommand(call: Call): string {
    const word = argument(call, 1);
    if (word.length > MAX_PROPERTY_NAME_BYTES) throw new Refusal("Argument too long");
    return word.toString("latin1").toUpperCase();
}

/** A status in any case: clients of the original expect one. */
function stop({ context, session, reply }: Call): undefined {
    if (!context.allowsStop || !session.admin) {
        reply.status("Unauthorized");
        return;
    }
    reply.status("Stopping");
    context.stop();
}

function everything(): undefined {
    throw new Refusal("This is not a valid command");
}
