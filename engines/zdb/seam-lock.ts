import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { errorCode } from "./disk.ts";
import { StartError } from "./refusal.ts";

const LOCK_FILE = ".lock";
/** Exit status of flock(1) when somebody else has the lock. */
const TAKEN = 1;

/**
 * Takes the data directory for this process, for as long as it lives: a kernel lock cannot be left behind by a crash.
 * Node has no flock; flock(1) of util-linux locks the descriptor it inherits, and the lock stays with our side of it.
 */
export function lockDirectory(directory: string): () => void {
    const fd = fs.openSync(path.join(directory, LOCK_FILE), "a+", 0o600);
    return lock(fd, directory, `another server uses ${directory}: stop it or give another --data`);
}

/**
 * The same lock for a tool that changes nothing: without a lock file no server has ever run there, or it is a copy, and there is nothing
 * to be taken.
 */
export function lockForReading(directory: string): () => void {
    const file = path.join(directory, LOCK_FILE);
    if (!fs.existsSync(file)) return () => undefined;
    return lock(fs.openSync(file, "r"), directory, `a server runs on ${directory}: stop it first, or take a snapshot with NSSNAPSHOT`);
}

/** The lock that a server of Zero-DB 2.x holds on each of its directories. */
export function lockOriginal(directory: string): () => void {
    const file = path.join(directory, ".lockfile");
    if (!fs.existsSync(file)) return () => undefined;
    return lock(fs.openSync(file, "r"), directory, `a Zero-DB server runs on ${directory}: stop it first`);
}

/** The same lock for a tool that changes what is there. */
export function lockForWriting(directory: string): () => void {
    return lock(fs.openSync(path.join(directory, LOCK_FILE), "a+", 0o600), directory, `a server runs on ${directory}: stop it first`);
}

function lock(fd: number, directory: string, takenWords: string): () => void {
    const { status, error } = spawnSync("flock", ["-n", "3"], { stdio: ["ignore", "ignore", "ignore", fd] });
    if (status === 0) return () => fs.closeSync(fd);
    fs.closeSync(fd);
    if (status === TAKEN) throw new StartError(takenWords);
    throw new StartError(
        `cannot lock ${directory} (${error ? errorCode(error) : `status ${status}`}): the program flock of util-linux is needed`,
    );
}
