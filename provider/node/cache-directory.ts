import { homedir } from "node:os";
import { join } from "node:path";

/** Where this user's copies of things lie that can be had again: $XDG_CACHE_HOME/zeroform, else ~/.cache/zeroform. */
export const cacheDirectory = (env: NodeJS.ProcessEnv, part: "compressed" | "runtimes"): string =>
    join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), ".cache"), "zeroform", part);
