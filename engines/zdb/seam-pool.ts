import * as fs from "node:fs";
import * as os from "node:os";
import type { Timers } from "./syncer.ts";

const CHECK_MS = 1000;
/** Against the event loop they get a tenth of a core that both need, and a whole one where there is another. */
const NICER_BY = 10;
const LEAST_PRIORITY = 19;
const THREADS = "/proc/self/task";
const POOL_NAME = "Bun Pool";

/**
 * Lets the threads that read and sync files give way to the event loop where both need the same core: a thread that computes, or copies from
 * the page cache, is otherwise left alone for a tick of the kernel (4 ms), two of them one after the other, while every client waits.
 * Bun starts these threads when they are first needed. The result ends it; on other runtimes nothing is done.
 */
export function makePoolGiveWay(timers: Timers): () => void {
    if (process.versions.bun === undefined) return () => undefined;
    const priority = Math.min(LEAST_PRIORITY, os.getPriority() + NICER_BY);
    let known = new Set<string>();
    let cancel: () => void;
    const check = (): void => {
        known = lower(known, priority);
        cancel = timers.after(CHECK_MS, check);
    };
    check();
    return () => cancel();
}

/** The threads there are now, after those of the pool among the new ones were given the priority. */
function lower(known: ReadonlySet<string>, priority: number): Set<string> {
    const threads = fs.readdirSync(THREADS);
    for (const thread of threads) {
        if (known.has(thread)) continue;
        try {
            if (fs.readFileSync(`${THREADS}/${thread}/comm`, "latin1").startsWith(POOL_NAME)) os.setPriority(Number(thread), priority);
        } catch {
            // It has ended meanwhile, or a sandbox forbids it: everything works without.
        }
    }
    return new Set(threads);
}
