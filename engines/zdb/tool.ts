import { parseArgs } from "node:util";
import { type Disk, errorCode } from "./disk.ts";
import { StartError } from "./refusal.ts";

/** What a tool stands on; tests have a disk and ears of their own. */
export interface ToolWorld {
    readonly disk: Disk;
    /** Takes the lock of a server, so that none runs meanwhile. The result gives it back. */
    lockForReading(root: string): () => void;
    lockForWriting(root: string): () => void;
    /** The same of a server of Zero-DB 2.x. */
    lockOriginal(root: string): () => void;
    /** Text for whoever asked: the result. */
    out(text: string): void;
    /** A line about what goes on or what was in the way. */
    say(line: string): void;
    /** Shows how far it has come, to a person at a terminal; nothing otherwise. */
    progress(text: string): void;
}

/** One of the programs beside the server: `zeroform-agent zdb <name> ...`. */
export interface Tool {
    readonly help: string;
    /** The exit code. Throws a UsageError, or what the disk throws. */
    run(argv: readonly string[], world: ToolWorld): Promise<number>;
}

/** Asked in a way that cannot be meant; the message says what to do instead. */
export class UsageError extends Error {}

/** Nothing was done, or not all of it. */
export const EXIT_TROUBLE = 2;

/** Runs a tool and gives its exit code: what it could not even begin with is 2. */
export async function runTool(name: string, tool: Tool, argv: readonly string[], world: ToolWorld): Promise<number> {
    if (argv.includes("--help") || argv.includes("-h")) {
        world.out(tool.help);
        return 0;
    }
    try {
        return await tool.run(argv, world);
    } catch (error) {
        if (!(error instanceof Error)) throw error;
        world.say(`zdb ${name}: ${wordsOf(name, error)}`);
        return EXIT_TROUBLE;
    }
}

function wordsOf(name: string, error: Error): string {
    if (error instanceof UsageError) return `${error.message}: see zeroform-agent zdb ${name} --help`;
    if (error instanceof StartError) return error.message;
    return "code" in error ? `stopped by the system (${error.message})` : `stopped by an error: ${error.stack ?? error.message}`;
}

/** Counts bytes and shows them. */
export function byteProgress(world: ToolWorld, what: string): (bytes: number) => void {
    let done = 0;
    return (bytes) => {
        done += bytes;
        world.progress(`${what} ${Math.floor(done / 1024 / 1024)} MiB`);
    };
}

/** Options of a tool: `true` for one with a value, `false` for a flag. */
type OptionTable = Readonly<Record<string, boolean>>;

export interface ToolArguments {
    readonly words: readonly string[];
    has(flag: string): boolean;
    value(option: string): string | undefined;
}

/** Reads the arguments of a tool; throws a UsageError. */
export function toolArguments(argv: readonly string[], table: OptionTable): ToolArguments {
    const options = Object.fromEntries(
        Object.entries(table).map(([name, hasValue]) => [name, { type: hasValue ? ("string" as const) : ("boolean" as const) }]),
    );
    try {
        const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
        return {
            words: positionals,
            has: (flag) => values[flag] === true,
            value: (option) => {
                const value = values[option];
                return typeof value === "string" ? value : undefined;
            },
        };
    } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        const [sentence = ""] = error.message.split(". ");
        throw new UsageError(errorCode(error).startsWith("ERR_PARSE_ARGS") ? sentence : error.message);
    }
}
