import { readFileSync } from "node:fs";

const LOOK_EVERY_MS = 50;

/** What a process has for itself alone, in bytes. */
export function privateBytes(pid: number): number {
    return Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

/** The most that it had meanwhile. */
export async function mostPrivateBytes(pid: number, work: () => Promise<unknown>): Promise<number> {
    let most = privateBytes(pid);
    const timer = setInterval(() => {
        most = Math.max(most, privateBytes(pid));
    }, LOOK_EVERY_MS);
    try {
        await work();
    } finally {
        clearInterval(timer);
    }
    return most;
}
