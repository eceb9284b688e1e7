import type { AgentEvent } from "../../protocol/api.ts";
import type { Life } from "../../protocol/ids.ts";
import type { Database, Row } from "./database.ts";
import { optional } from "./rows.ts";

/** Events that are kept: the last weeks of a quiet machine, a few hundred kilobytes. */
const KEPT = 1_000;
/** Longest text of an event; the journal has the rest. */
const LONGEST_DETAIL = 2_000;

const of = (about: string | undefined) => [about ?? null, about ?? null, about ?? null];
const ABOUT = "(? is null or life = ? or name = ?)";

/** What happened on this machine, for people. */
export class Events {
    readonly #db: Database;
    readonly #listeners = new Set<() => void>();
    /** Some were added since the listeners were called. It may be said in vain after a rollback: whoever hears it looks. */
    #hasNews = false;

    constructor(db: Database) {
        this.#db = db;
        db.onCommit(() => {
            if (!this.#hasNews) return;
            this.#hasNews = false;
            for (const hear of [...this.#listeners]) hear();
        });
    }

    /** Calls back whenever some were added; the answer ends that. */
    listen(hear: () => void): () => void {
        this.#listeners.add(hear);
        return () => this.#listeners.delete(hear);
    }

    add(event: Omit<AgentEvent, "id">): void {
        this.#db.transaction(() => {
            this.#hasNews = true;
            this.#db.put("events", {
                id: this.#db.nextNumber("events"),
                at: event.at,
                life: event.life ?? null,
                name: event.name ?? null,
                what: event.what,
                detail: event.detail.slice(0, LONGEST_DETAIL),
            });
            this.#db.run(`delete from events where id <= (select max(id) from events) - ${KEPT}`);
        });
    }

    /** The latest first; only those of a life, or of resources of a name, when one is given. */
    latest(count: number, about?: string): readonly AgentEvent[] {
        return this.#db.rows("events", `where ${ABOUT} order by id desc limit ?`, ...of(about), count).map(read);
    }

    /** Those that came after one, the oldest first. */
    after(id: number, count: number, about?: string): readonly AgentEvent[] {
        return this.#db.rows("events", `where id > ? and ${ABOUT} order by id limit ?`, id, ...of(about), count).map(read);
    }
}

const read = (row: Row): AgentEvent => {
    const life = optional(row.life, (value) => value as Life);
    const name = optional(row.name, String);
    return {
        id: Number(row.id),
        at: Number(row.at),
        ...(life ? { life } : {}),
        ...(name ? { name } : {}),
        what: String(row.what),
        detail: String(row.detail),
    };
};
