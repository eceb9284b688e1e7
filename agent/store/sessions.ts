import type { SessionId } from "../../protocol/ids.ts";
import type { Database, Row } from "./database.ts";

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
        const known = this.#row(session);
        return known ? Number(known.epoch) : this.#admit(session);
    }

    /** Whether it has said that it ends. */
    hasEnded(session: SessionId): boolean {
        return this.#row(session)?.ended === 1;
    }

    end(session: SessionId): void {
        const row = this.#row(session);
        if (row) this.#db.put("sessions", { epoch: Number(row.epoch), id: session, ended: 1 });
    }

    #row(session: SessionId): Row | undefined {
        return this.#db.row("sessions", "where id = ?", session);
    }

    #admit(session: SessionId): number {
        return this.#db.transaction(() => {
            const epoch = this.#db.nextNumber("sessions");
            this.#db.put("sessions", { epoch, id: session, ended: 0 });
            const old = this.#db.all(`select id from sessions where epoch <= ? and ${UNNAMED}`, epoch - REMEMBERED);
            const open = new Set<unknown>(old.length > 0 ? this.#open() : []);
            for (const { id } of old) if (!open.has(id)) this.#db.run("delete from sessions where id = ?", String(id));
            return epoch;
        });
    }
}
