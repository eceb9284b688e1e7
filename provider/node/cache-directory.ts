import { homedir } from "node:os";
import { join } from "node:path";
import { ZeroformError } from "../../protocol/errors.ts";

const MIB = 1024 * 1024;

/** Where this user's copies of things lie that can be had again: $XDG_CACHE_HOME/zeroform, else ~/.cache/zeroform. */
export const cacheDirectory = (env: NodeJS.ProcessEnv, part: "compressed" | "runtimes"): string =>
    join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), ".cache"), "zeroform", part);

/** Why a cache could not take something, when its directory is the reason. */
export const cacheFailure = (
    thrown: unknown,
    { directory, what, bytes }: { readonly directory: string; readonly what: string; readonly bytes: number },
): ZeroformError | undefined => {
    const failure = (message: string, hint: string) => new ZeroformError({ code: "RUNTIME_MISSING", message, hint }, thrown);
    const code = thrown instanceof Error ? (thrown as NodeJS.ErrnoException).code : undefined;
    if (code === "ENOSPC" || code === "EDQUOT")
        return failure(
            `the disk is full: ${what} does not fit into ${directory}`,
            `Free ${Math.ceil(bytes / MIB)} MiB, or let XDG_CACHE_HOME name a directory with room.`,
        );
    if (code === "EACCES" || code === "EROFS" || code === "EPERM" || code === "ENOTDIR")
        return failure(`${directory} cannot be written (${code})`, "Make it writable, or let XDG_CACHE_HOME name a directory that is.");
    return undefined;
};
