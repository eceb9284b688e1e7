import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
export const BUN = path.join(ROOT, "node_modules/.bin/bun");

/** The server under test has one core, whoever loads it the other. */
export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

/** A directory for servers' files that is gone at the end, on a file system of the disk: not /tmp, which may be memory. */
export function temporaryDirectory(parent: string): string {
    const directory = fs.mkdtempSync(path.join(parent, "bench-zdb-"));
    process.once("exit", () => fs.rmSync(directory, { recursive: true, force: true }));
    return directory;
}

/**
 * A command that makes redis-server of what Debian's redis-tools brings: one binary is server and checker of files, by the name that it is
 * called by. So the package redis-server, which would leave a service behind, need not be installed.
 */
export function redisProgram(directory: string): string {
    const program = path.join(directory, "redis-server");
    const found = ["/usr/bin/redis-server", "/usr/bin/redis-check-rdb"].find((each) => fs.existsSync(each));
    if (!found) throw new Error("redis-server is missing: install Debian's redis-tools");
    fs.symlinkSync(found, program);
    return program;
}

/** Load of the machine in the last minute, by all who work on it. */
export const loadAverage = (): string => (os.loadavg()[0] ?? 0).toFixed(1);

/** Sets the priority of this process and of all it starts. Where the kernel groups processes by their sessions, that of the group counts. */
export function giveWay(nice: number): void {
    os.setPriority(nice);
    if (nice !== 0 && fs.existsSync("/proc/self/autogroup")) fs.writeFileSync("/proc/self/autogroup", String(nice));
}
