import type { Call, Command, CommandContext } from "./command.ts";
import { AUTH_COMMANDS } from "./commands-auth.ts";
import { DATA_COMMANDS } from "./commands-data.ts";
import { NAMESPACE_COMMANDS } from "./commands-namespace.ts";
import { SERVER_COMMANDS } from "./commands-server.ts";
import type { AnswerStream, Connection } from "./connection.ts";
import { errorCode, UNKNOWN_ERROR } from "./disk.ts";
import { Refusal } from "./refusal.ts";

const COMMANDS: ReadonlyMap<string, Command> = new Map(
    Object.entries({ ...SERVER_COMMANDS, ...AUTH_COMMANDS, ...DATA_COMMANDS, ...NAMESPACE_COMMANDS }),
);
const LONGEST_NAME = Math.max(...[...COMMANDS.keys()].map((name) => name.length));

/** Carries out one request: finds the command, makes the checks all commands share, and runs it. */
export function execute(
    context: CommandContext,
    connection: Connection,
    args: readonly Buffer[],
): undefined | Promise<void> | AnswerStream {
    const { session, replies: reply } = connection;
    const { statistics } = context;
    statistics.executed++;
    try {
        if (session.namespace.gone) {
            throw new Refusal("Your active namespace is not available anymore (probably removed).", { closes: true });
        }
        const command = find(args[0]);
        if (command.admin && !session.admin) throw new Refusal("Permission denied");
        checkArguments(command, args);
        const call: Call = { context, connection, session, args, reply };
        const answer = command.run(call);
        return answer instanceof Promise ? answer.catch((error: unknown) => countAndThrow(context, error)) : answer;
    } catch (error) {
        return countAndThrow(context, error);
    }
}

function find(name: Buffer | undefined): Command {
    const command = name && name.length <= LONGEST_NAME ? COMMANDS.get(name.toString("latin1").toUpperCase()) : undefined;
    if (!command) throw new Refusal("Command not supported");
    return command;
}

function checkArguments({ argc, argcError, refusesEmpty }: Command, args: readonly Buffer[]): void {
    if (argc && (args.length < argc[0] || args.length > argc[1])) throw new Refusal(argcError ?? "Unexpected arguments");
    if (refusesEmpty && args.some((argument) => argument.length === 0)) throw new Refusal("Invalid argument");
}

/** What the system refused one client must not end the server for all; anything else that is no Refusal is a bug and does. */
function countAndThrow({ statistics, log }: CommandContext, error: unknown): never {
    statistics.failed++;
    if (error instanceof Refusal) {
        if (error.message === "Permission denied") statistics.unauthorized++;
        throw error;
    }
    const code = errorCode(error);
    if (code === UNKNOWN_ERROR) throw error;
    log(`a command failed: ${String(error)}`);
    throw new Refusal(`Internal Error (${code})`);
}
