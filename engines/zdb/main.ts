import { HELP, parseOptions } from "./options.ts";
import { Refusal, StartError } from "./refusal.ts";
import { Server, systemParts } from "./server.ts";

/** The version INFO and --version tell; the same as the package's. */
export const ZDB_VERSION = "0.2.0";

/**
 * Runs a Zero-DB server until SIGTERM or SIGINT and gives the exit code of the process: 0 after an orderly end,
 * 1 when it could not start or could not bring everything to disk.
 */
export async function runZdb(argv: readonly string[]): Promise<number> {
    try {
        const parsed = parseOptions(argv);
        if (parsed.action === "help") return print(HELP);
        if (parsed.action === "version") return print(`zeroform zdb ${ZDB_VERSION}\n`);
        const { options } = parsed;

        const stopped = stopSignal();
        const server = new Server(options, ZDB_VERSION, { ...systemParts, log });
        await server.start();
        log("ready");
        log(`${await stopped}, stopping`);
        await server.stop();
        log("stopped");
        return 0;
    } catch (error) {
        if (!(error instanceof Error)) throw error;
        process.stderr.write(`zdb: ${wordsOf(error)}\n`);
        return 1;
    }
}

/** One sentence for what the operator or the system caused; the whole stack for what only a bug can cause. */
function wordsOf(error: Error): string {
    if (error instanceof StartError || error instanceof Refusal) return error.message;
    return "code" in error ? `stopped by the system (${error.message})` : `stopped by an error: ${error.stack ?? error.message}`;
}

function stopSignal(): Promise<NodeJS.Signals> {
    return new Promise((resolve) => {
        for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
    });
}

/** Lines without a time: the journal adds it. */
function log(line: string): void {
    process.stdout.write(`${line}\n`);
}

function print(text: string): number {
    process.stdout.write(text);
    return 0;
}
