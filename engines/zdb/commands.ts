import { Cold, type FetchedRange, untilWarm } from "./cold-reads.ts";
import { type Command, type CommandContext, coldReads } from "./command.ts";
import { AUTH_COMMANDS } from "./commands-auth.ts";
import { CONTROL_COMMANDS } from "./commands-control.ts";
import { DATA_COMMANDS } from "./commands-data.ts";
import { INSPECTION_COMMANDS } from "./commands-inspection.ts";
import { ITERATION_COMMANDS } from "./commands-iteration.ts";
import { NAMESPACE_COMMANDS } from "./commands-namespace.ts";
import { SERVER_COMMANDS } from "./commands-server.ts";
import type { AnswerStream, Connection } from "./connection.ts";
import { errorCode, UNKNOWN_ERROR } from "./disk.ts";
import type { Namespace } from "./namespace.ts";
import { Refusal } from "./refusal.ts";
import { NoRoom } from "./reply-buffer.ts";

/** What is left of an answer: nothing, what comes later, or piece by piece. */
type Answer = undefined | Promise<void> | AnswerStream;

interface NamedCommand extends Command {
    readonly name: string;
}

const COMMANDS: ReadonlyMap<string, NamedCommand> = new Map(
    Object.entries({
        ...SERVER_COMMANDS,
        ...AUTH_COMMANDS,
        ...DATA_COMMANDS,
        ...NAMESPACE_COMMANDS,
        ...INSPECTION_COMMANDS,
        ...ITERATION_COMMANDS,
        ...CONTROL_COMMANDS,
    }).map(([name, command]) => [name, { ...command, name }]),
);
const NOTHING: readonly FetchedRange[] = [];
const LONGEST_NAME = Math.max(...[...COMMANDS.keys()].map((name) => name.length));

/** Upper case. */
export const COMMAND_NAMES: readonly string[] = [...COMMANDS.keys()];

/** Commands of which WAIT knows. HELLO is there to be refused only. */
export const isCommand = (name: string): boolean => name !== "HELLO" && COMMANDS.has(name);

/** Carries out one request: finds the command, makes the checks all commands share, and runs it. */
export function execute(context: CommandContext, connection: Connection, args: readonly Buffer[]): Answer {
    context.statistics.executed++;
    return carryOut(context, connection, args);
}

function carryOut(context: CommandContext, connection: Connection, args: readonly Buffer[]): Answer {
    const { segments } = connection.session.namespace;
    const before = connection.replies.size;
    segments.lent = NOTHING;
    try {
        return attempt(context, connection, args);
    } catch (error) {
        if (error instanceof NoRoom) throw error;
        if (!(error instanceof Cold)) return countAndThrow(context, connection, args[0], error);
        connection.replies.rewind(before);
        return executeAgain(context, connection, args, error);
    } finally {
        segments.lent = undefined;
    }
}

/** The rest of a command that was abandoned because bytes it needs are not in memory: waits for them, and starts anew. */
function* executeAgain(context: CommandContext, connection: Connection, args: readonly Buffer[], missing: Cold): AnswerStream {
    const { replies, session } = connection;
    const startedMs = context.timers.nowMs();
    let answer: Answer;
    let before = 0;
    const run = (): Answer => {
        before = replies.size;
        return attempt(context, connection, args, startedMs);
    };
    try {
        answer = yield* untilWarm(coldReads(context, session.namespace), replies, run, missing);
    } catch (error) {
        replies.rewind(before);
        countAndThrow(context, connection, args[0], error);
    }
    if (answer instanceof Promise) yield answer;
    else if (answer) yield* answer;
}

/** The namespace is closed for a moment, and it goes on in the one that takes its place; or a write waits for room on the disk. */
function* afterwards(ready: Promise<void>, context: CommandContext, connection: Connection, args: readonly Buffer[]): AnswerStream {
    yield ready;
    const answer = carryOut(context, connection, args);
    if (answer instanceof Promise) yield answer;
    else if (answer) yield* answer;
}

/** `startedMs` of a command that was abandoned before. */
function attempt(context: CommandContext, connection: Connection, args: readonly Buffer[], startedMs?: number): Answer {
    if (connection.session.namespace.gone) {
        throw new Refusal("Your active namespace is not available anymore (probably removed).", { closes: true });
    }
    const { renewal, upkeep } = connection.session.namespace;
    if (renewal) return afterwards(renewal, context, connection, args);
    const command = find(args[0]);
    const room = command.operation === "write" ? upkeep.room() : undefined;
    if (room) return afterwards(room, context, connection, args);
    const answer = runWatched(context, connection, command, args, startedMs);
    return answer instanceof Promise ? answer.catch((error: unknown) => countAndThrow(context, connection, args[0], error)) : answer;
}

/** Whoever waits for the command is told when it is done, whether it succeeded or not, and it is counted. */
function runWatched(
    context: CommandContext,
    connection: Connection,
    command: NamedCommand,
    args: readonly Buffer[],
    startedMs: number | undefined,
): Answer {
    const { session, replies: reply } = connection;
    let isDone = true;
    try {
        if (command.admin && !session.admin) throw new Refusal("Permission denied");
        checkArguments(command, args);
        const answer = command.run({ context, connection, session, args, reply });
        if (!(answer instanceof Promise)) return answer;
        isDone = false;
        const begunMs = startedMs ?? context.timers.nowMs();
        return answer.finally(() => {
            context.watches.ran(command.name, connection);
            count(context, session.namespace, command, begunMs);
        });
    } catch (error) {
        isDone = !(error instanceof Cold || error instanceof NoRoom);
        throw error;
    } finally {
        if (isDone) {
            context.watches.ran(command.name, connection);
            count(context, session.namespace, command, startedMs);
        }
    }
}

function count({ turn, timers }: CommandContext, namespace: Namespace, { operation }: Command, startedMs: number | undefined): void {
    if (operation === undefined) return;
    if (startedMs !== undefined) namespace.measures.countSlow(operation, timers.nowMs() - startedMs);
    else if (namespace.measures.count(operation)) turn.carriedOut(namespace);
}

/** Names that were looked up: the parser hands out the same buffer for the same name. */
const lookedUp = new WeakMap<Buffer, NamedCommand>();

function find(name: Buffer | undefined): NamedCommand {
    const known = name && lookedUp.get(name);
    if (known) return known;
    const command = name && name.length <= LONGEST_NAME ? COMMANDS.get(name.toString("latin1").toUpperCase()) : undefined;
    if (!command) throw new Refusal("Command not supported");
    lookedUp.set(name as Buffer, command);
    return command;
}

function checkArguments({ argc, argcError, refusesEmpty }: Command, args: readonly Buffer[]): void {
    if (argc && (args.length < argc[0] || args.length > argc[1])) throw new Refusal(argcError ?? "Unexpected arguments");
    if (refusesEmpty && args.some((argument) => argument.length === 0)) throw new Refusal("Invalid argument");
}

/** What the system refused one client must not end the server for all; anything else that is no Refusal is a bug and does. */
function countAndThrow(
    { statistics, log, chat }: CommandContext,
    { session }: Connection,
    name: Buffer | undefined,
    error: unknown,
): never {
    statistics.failed++;
    if (error instanceof Refusal) {
        chat(`client ${session.id}: ${printable(name)} refused: ${error.message}`);
        if (error.message === "Permission denied") statistics.unauthorized++;
        throw error;
    }
    const code = errorCode(error);
    if (code === UNKNOWN_ERROR) throw error;
    log(`a command failed: ${String(error)}`);
    throw new Refusal(`Internal Error (${code})`);
}

/** The name of a command for a line of the log. */
const printable = (name: Buffer | undefined): string => (name?.toString("latin1", 0, LONGEST_NAME) ?? "").replace(/[^\x21-\x7e]/g, "?");
