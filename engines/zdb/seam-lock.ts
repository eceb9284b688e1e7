import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { errorCode } from "./disk.ts";
import { StartError } from "./refusal.ts";

/** Exit status of flock(1) when somebody else has the lock. */
const TAKEN = 1;

/**
 * Takes the data directory for this process, for as long as it lives: a kernel lock cannot be left behind by a crash.
 * Node has no flock; flock(1) of util-linux locks the descriptor it inherits, and the lock stays with our side of it.
 */
export function lockDirectory(directory: string): () => void {
    const fd = fs.openSync(path.join(directory, ".lock"), "a+", 0o600);
    const { status, error } = spawnSync("flock", ["-n", "3"], { stdio: ["ignore", "ignore", "ignore", fd] });
    if (status === 0) return () => fs.closeSync(fd);
    fs.closeSync(fd);
    if (status === TAKEN) throw new StartError(`another server uses ${directory}: stop it or give another --data`);
    throw new StartError(
        `cannot lock ${directory} (${error ? errorCode(error) : `status ${status}`}): the program flock of util-linux is needed`,
    );
}
