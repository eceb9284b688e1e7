import type { AgentEvent } from "../../protocol/api.ts";
import type { Life } from "../../protocol/ids.ts";
import type { Database, Row } from "./database.ts";
import { optional } from "./rows.ts";

/** Events that are kept: the last weeks of a quiet machine, a few hundred kilobytes. */
const KEPT = 1_000;
/** Longest text of an event; the journal has the rest. */
const LONGEST_DETAIL = 2_000;

/** What happened on this machine, for people. */
export class Events {
    readonly #db: Database;

    constructor(db: Database) {
        this.#db = db;
    }

    add(event: Omit<AgentEvent, "id">): void {
        this.#db.transaction(() => {
            this.#db.run(
                "insert into events (at, life, name, what, detail) values (?, ?, ?, ?, ?)",
                event.at,
                event.life ?? null,
                event.name ?? null,
                event.what,
                event.detail.slice(0, LONGEST_DETAIL),
            );
            this.#db.run(`delete from events where id <= (select max(id) from events) - ${KEPT}`);
        });
    }

    /** The latest first. */
    latest(count: number): readonly AgentEvent[] {
        return this.#db.all("select * from events order by id desc limit ?", count).map(read);
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
