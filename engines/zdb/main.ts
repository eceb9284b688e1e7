import { HELP } from "./option-names.ts";
import { parseOptions } from "./options.ts";
import { Refusal, StartError } from "./refusal.ts";
import { continueInBackground, isBackground, sayReadyToParent } from "./seam-process.ts";
import { Server, systemParts } from "./server.ts";
import { runNamedTool } from "./tools.ts";

/** The version INFO and --version tell; the same as the package's. */
export const ZDB_VERSION = "0.3.0";

/**
 * Runs one of the tools (`check` ...), or a Zero-DB server until SIGTERM or SIGINT and gives the exit code of the process: 0 after an orderly end,
 * 1 when it could not start or could not bring everything to disk.
 */
export async function runZdb(argv: readonly string[]): Promise<number> {
    const tool = runNamedTool(argv);
    if (tool) return tool;
    let isAskedToStop = false;
    try {
        const parsed = parseOptions(argv);
        if (parsed.action === "help") return print(HELP);
        if (parsed.action === "version") return print(`zeroform zdb ${ZDB_VERSION}\n`);
        const { options } = parsed;
        if (options.background && !isBackground()) return await continueInBackground(options.logfile);

        for (const warning of parsed.warnings) log(warning);
        const signalled = stopSignal();
        void signalled.then(() => {
            isAskedToStop = true;
        });
        const server = new Server(options, ZDB_VERSION, { ...systemParts, log });
        if (options.dump) return await dump(server);
        if (options.hook !== undefined) tellOfCrash(server);
        process.on("SIGHUP", () => server.reload());
        await server.start();
        log("ready");
        if (isBackground()) sayReadyToParent();
        const reason = await Promise.race([signalled, server.stopAsked.then(() => "STOP of a client")]);
        log(`${reason}, stopping`);
        await server.stop();
        log("stopped");
        return 0;
    } catch (error) {
        if (!(error instanceof Error)) throw error;
        // Whoever ends a service ends the programs that it has called as well: the signal explains why they failed.
        await new Promise((resolve) => setImmediate(resolve));
        if (isAskedToStop && error instanceof StartError) {
            log("stopped while it started");
            return 0;
        }
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

/** Opens everything, says what is there, and leaves it as it was. */
async function dump(server: Server): Promise<number> {
    await server.open();
    for (const line of server.describe()) log(line);
    await server.stop();
    return 0;
}

/** What nobody caught ends the process as it would without a hook, which hears of it first. */
function tellOfCrash(server: Server): void {
    process.once("uncaughtException", (error) => {
        server.crashed();
        process.stderr.write(`zdb: ${wordsOf(error)}\n`);
        process.exit(1);
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
