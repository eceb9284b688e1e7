import type { SessionId } from "../../protocol/ids.ts";
import type { Database } from "./database.ts";

/** Sessions that are remembered; of older ones nobody is left to ask. */
const REMEMBERED = 1_000;

/** No row was made by it, or touched by it last. */
const UNNAMED = `id not in (select session from lives union select session from tenants)
    and epoch not in (select epoch from lives union select epoch from tenants)`;

/** Every provider process that has spoken to this machine, by age. */
export class SessionEpochs {
    readonly #db: Database;
    #open: () => Iterable<SessionId> = () => [];

    constructor(db: Database) {
        this.#db = db;
    }

    /** Those that are never forgotten because they have an open channel: with a new age they would pass for younger than they are. */
    spare(open: () => Iterable<SessionId>): void {
        this.#open = open;
    }

    /** Its age among all sessions: given at its first hello and kept over reconnects. */
    epoch(session: SessionId): number {
        const known = this.#db.get("select epoch from sessions where id = ?", session);
        return known ? Number(known.epoch) : this.#admit(session);
    }

    /** Whether it has said that it ends. */
    hasEnded(session: SessionId): boolean {
        return this.#db.get("select ended from sessions where id = ?", session)?.ended === 1;
    }

    end(session: SessionId): void {
        this.#db.transaction(() => this.#db.run("update sessions set ended = 1 where id = ?", session));
    }

    #admit(session: SessionId): number {
        return this.#db.transaction(() => {
            this.#db.run("insert into sessions (id) values (?)", session);
            const epoch = Number(this.#db.get("select epoch from sessions where id = ?", session)?.epoch);
            const old = this.#db.all(`select id from sessions where epoch <= ? and ${UNNAMED}`, epoch - REMEMBERED);
            const open = new Set<unknown>(old.length > 0 ? this.#open() : []);
            for (const { id } of old) if (!open.has(id)) this.#db.run("delete from sessions where id = ?", String(id));
            return epoch;
        });
    }
}
