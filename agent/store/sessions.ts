import type { SessionId } from "../../protocol/ids.ts";
import type { Database } from "./database.ts";

/** Sessions that are remembered; of older ones nobody is left to ask. */
const REMEMBERED = 1_000;

/** Every provider process that has spoken to this machine, by age. */
export class SessionEpochs {
    readonly #db: Database;

    constructor(db: Database) {
        this.#db = db;
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
            this.#db.run("delete from sessions where epoch <= ?", epoch - REMEMBERED);
            return epoch;
        });
    }
}
