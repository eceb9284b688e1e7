import type { Clock } from "../clock.ts";
import type { Database } from "./database.ts";

const KEY = "running";
/** How much of it a power cut may take back. */
const KEPT_EVERY_MS = 10 * 60_000;

type Time = Pick<Clock, "uptime" | "boot">;

/** What stands in the store: so much had run by then, which was so long after that boot. */
interface Kept {
    readonly ms: number;
    readonly boot: string | undefined;
    readonly uptime: number;
}

/**
 * How long this machine has run since the store was made, as far as that is certain: a clock that somebody sets, or that is wrong until the
 * network is there, changes nothing. Within a boot it goes on without the agent; a machine that is off stands still in it.
 */
export class RunningTime {
    readonly #db: Database;
    readonly #time: Time;
    /** What it was at a moment of this boot. */
    readonly #from: { readonly ms: number; readonly uptime: number };
    #keptAt: number;

    constructor(db: Database, time: Time) {
        this.#db = db;
        this.#time = time;
        const uptime = time.uptime();
        this.#from = { ms: resumed(db, time.boot, uptime), uptime };
        this.#keptAt = uptime;
    }

    /** Milliseconds. */
    now(): number {
        return Math.round(this.#from.ms + this.#time.uptime() - this.#from.uptime);
    }

    /** Writes it down, for the next boot; no oftener than is needed. */
    keepNowAndThen(): void {
        if (this.#time.uptime() - this.#keptAt >= KEPT_EVERY_MS) this.keep();
    }

    keep(): void {
        const uptime = this.#time.uptime();
        const kept: Kept = { ms: this.now(), boot: this.#time.boot, uptime };
        this.#db.put("meta", { key: KEY, value: JSON.stringify(kept) });
        this.#keptAt = uptime;
    }
}

/** A boot that cannot be told from others is another one. */
const resumed = (db: Database, boot: string | undefined, uptime: number): number => {
    const value = db.row("meta", "where key = ?", KEY)?.value;
    if (typeof value !== "string") return 0;
    const kept = JSON.parse(value) as Kept;
    return boot === undefined || kept.boot !== boot ? kept.ms : kept.ms + Math.max(0, uptime - kept.uptime);
};
