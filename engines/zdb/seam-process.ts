import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { errorCode } from "./disk.ts";

/** A program that runs beside the server. */
export interface RunningProgram {
    /** 0 when it could not be started. */
    readonly pid: number;
    /** Its exit code; -1 when it could not be started or a signal ended it. */
    readonly ended: Promise<number>;
}

/**
 * Runs a program directly, without a shell. Descriptors of the server are closed in it (libuv and Bun open all of them close-on-exec), so that
 * one which outlives the server holds neither its lock nor its listeners.
 */
export function runProgram(program: string, args: readonly string[], options: { outlives?: boolean } = {}): RunningProgram {
    const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit"], detached: options.outlives ?? false });
    if (options.outlives) child.unref();
    const ended = new Promise<number>((resolve) => {
        child.on("error", () => resolve(-1));
        child.on("close", (code) => resolve(code ?? -1));
    });
    return { pid: child.pid ?? 0, ended };
}

/** Set in the copy of the server that stays; the descriptor on which it says that it is ready. */
const FOREGROUND = "ZEROFORM_ZDB_IN_BACKGROUND";
const READY_FD = 3;

/** Whether this process is the one that stays. */
export const isBackground = (): boolean => process.env[FOREGROUND] !== undefined;

/** Starts this program again, apart from the terminal, its lines in `logfile`. Gives 0 when the copy is ready, its exit code when it ended before. */
export async function continueInBackground(logfile: string | undefined): Promise<number> {
    const output = fs.openSync(logfile ?? "/dev/null", "a", 0o600);
    const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
        stdio: ["ignore", output, logfile === undefined ? "inherit" : output, "pipe"],
        detached: true,
        env: { ...process.env, [FOREGROUND]: "1" },
    });
    fs.closeSync(output);
    return new Promise((resolve, reject) => {
        child.on("error", reject);
        child.on("exit", (code) => resolve(code ?? 1));
        child.stdio[READY_FD]?.once("data", () => {
            child.unref();
            resolve(0);
        });
    });
}

/** Tells the process that was started by hand that it may go. */
export function sayReadyToParent(): void {
    fs.writeSync(READY_FD, "ready");
    fs.closeSync(READY_FD);
}

/** Why this process cannot run a program; undefined: it can, as far as can be told. */
export function whyNotRun(program: string): string | undefined {
    try {
        fs.accessSync(program, fs.constants.X_OK);
        return fs.statSync(program).isFile() ? undefined : "it is no file";
    } catch (error) {
        return errorCode(error);
    }
}
