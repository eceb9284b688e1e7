// Where set-up keeps things, and the PATH that everything started from it sees.
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { ROOT } from "./say.mjs";

export const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "zeroform");
export const TOOLS = join(CACHE, "tools");
export const BIN = join(ROOT, "node_modules", ".bin");

/** The caller's PATH without our own directories: what the machine itself has. */
export function machinePath() {
    return (process.env.PATH ?? "")
        .split(delimiter)
        .filter((directory) => directory !== "" && directory !== BIN && !directory.startsWith(TOOLS))
        .join(delimiter);
}

/** Our Node.js, Bun and Pulumi first. */
export function toolPath(pulumiBin) {
    return [BIN, pulumiBin, machinePath()].filter(Boolean).join(delimiter);
}

/** The first directory of the path that has this program, or undefined. */
export function findOnPath(program, path = machinePath()) {
    return path.split(delimiter).find((directory) => existsSync(join(directory, program)));
}
