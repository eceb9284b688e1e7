import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { DevError } from "../dev-error.ts";

/**
 * Holds the lock until this process ends or closes the pipe, whatever comes first: the kernel frees it, so a killed run leaves no stale lock.
 * The lock file may be removed by its holder (`down`); whoever then holds a lock on the removed file asks again.
 */
const HOLDER = `
exec 9>>"$1" || exit 3
flock "$2" -w "$3" 9 || exit 4
[ "$(stat -c %i "$1" 2>/dev/null)" = "$(stat -L -c %i /proc/self/fd/9)" ] || exit 3
echo held
exec cat >/dev/null
`;

const WAIT_SECONDS = 300;
const RETRIES_MAX = 100;

export async function withLock<T>(file: string, mode: "shared" | "exclusive", action: () => Promise<T>): Promise<T> {
    const release = await acquire(file, mode);
    try {
        return await action();
    } finally {
        await release();
    }
}

async function acquire(file: string, mode: "shared" | "exclusive"): Promise<() => Promise<void>> {
    for (let attempt = 0; attempt < RETRIES_MAX; attempt++) {
        await mkdir(dirname(file), { recursive: true, mode: 0o755 });
        const release = await hold(file, mode);
        if (release !== undefined) return release;
    }
    throw new DevError(`The lock ${file} was removed ${RETRIES_MAX} times while it was waited for: something else deletes files there.`);
}

function hold(file: string, mode: "shared" | "exclusive"): Promise<(() => Promise<void>) | undefined> {
    return new Promise((resolve, reject) => {
        const flag = mode === "shared" ? "-s" : "-x";
        // In a session of its own: Ctrl-C must not free the lock while its owner still cleans up.
        const holder = spawn("sh", ["-c", HOLDER, "sh", file, flag, String(WAIT_SECONDS)], {
            cwd: "/",
            detached: true,
            stdio: ["pipe", "pipe", "ignore"],
        });
        const ended = new Promise<void>((done) => holder.on("close", () => done()));
        holder.on("error", reject);
        holder.stdin.on("error", () => undefined);
        holder.stdout.once("data", () => {
            resolve(() => {
                holder.stdin.end();
                return ended;
            });
        });
        holder.on("exit", (code) => {
            if (code === 3) resolve(undefined);
            else reject(new DevError(`The lock ${file} was still held by another run after ${WAIT_SECONDS} s: wait for it or end it.`));
        });
    });
}
