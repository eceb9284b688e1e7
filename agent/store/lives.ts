import type { ResourceStatus } from "../../protocol/api.ts";
import type { Life, SessionId } from "../../protocol/ids.ts";
import type { Database, Row } from "./database.ts";
import { type Described, describedIn, optional, parse, sealSpec } from "./rows.ts";
import type { Seal } from "./sealing.ts";

/** Where a removal puts what is removed. */
export interface Removal {
    /** undefined: the data stay where they are, or there are none. */
    readonly place?: string;
    readonly trashMs: number;
    /** The user's wish: a row stays that says whose the data are. */
    readonly keep: boolean;
}

/** An exchange of data with the trash that has begun and will be finished. */
export interface Restore {
    readonly from: Life;
    /** Name and place that its own data get in the trash. */
    readonly own: Life;
    readonly place: string;
}

/** One existence of a resource: its desired state and what became of it. */
export interface LifeRow extends Described {
    /** Inputs whose value the node made. */
    readonly generated: readonly string[];
    readonly desired: "present" | "removed" | "kept";
    readonly removal?: Removal | undefined;
    readonly restore?: Restore | undefined;
    /** The engine is known to have saved it. */
    readonly confirmed: boolean;
    /** The session that made it. */
    readonly session: SessionId;
    readonly operation: string;
    /** Its create was answered with its id: from then on the engine may know it. */
    readonly answered: boolean;
    /** Of the newest session that touched it. */
    readonly epoch: number;
    readonly createdAt: number;
    readonly namedAt?: number | undefined;
    /** It was ready once: when its data are not there now, they are gone. */
    readonly made: boolean;
    /** What is to be done until it is ready again, for the event that says so. */
    readonly work: "make" | "change" | "heal" | "restore" | "none";
    readonly state: ResourceStatus["state"];
    readonly since: number;
    readonly reasons: readonly string[];
}

/** All lives of this machine, remembered in memory once read. */
export class Lives {
    readonly #db: Database;
    readonly #seal: Seal;
    #rows: Map<Life, LifeRow>;

    constructor(db: Database, seal: Seal) {
        this.#db = db;
        this.#seal = seal;
        this.#rows = this.#load();
        db.onRollback(() => {
            this.#rows = this.#load();
        });
    }

    get(life: Life): LifeRow | undefined {
        return this.#rows.get(life);
    }

    all(): readonly LifeRow[] {
        return [...this.#rows.values()];
    }

    where(is: (row: LifeRow) => boolean): readonly LifeRow[] {
        return this.all().filter(is);
    }

    /** Live or being removed: those that refer to a life. */
    using(life: Life): readonly LifeRow[] {
        return this.where((row) => Object.values(row.uses).includes(life));
    }

    put(row: LifeRow): LifeRow {
        const { spec, secrets } = sealSpec(this.#seal, row.kind, row.spec, row.life);
        this.#db.transaction(() => {
            this.#db.put("lives", {
                life: row.life,
                tenant: row.tenant,
                kind: row.kind,
                urn: row.urn,
                name: row.name,
                spec,
                secrets,
                generated: JSON.stringify(row.generated),
                uses: JSON.stringify(row.uses),
                desired: row.desired,
                removal: row.removal ? JSON.stringify(row.removal) : null,
                restore: row.restore ? JSON.stringify(row.restore) : null,
                confirmed: Number(row.confirmed),
                session: row.session,
                operation: row.operation,
                answered: Number(row.answered),
                epoch: row.epoch,
                created_at: row.createdAt,
                named_at: row.namedAt ?? null,
                made: Number(row.made),
                work: row.work,
                state: row.state,
                since: row.since,
                reasons: JSON.stringify(row.reasons),
            });
            this.#rows.set(row.life, row);
        });
        return row;
    }

    /** Changes some of a row that is there; undefined when it is not. */
    change(life: Life, changes: Partial<LifeRow>): LifeRow | undefined {
        const row = this.#rows.get(life);
        return row && this.put({ ...row, ...changes });
    }

    remove(life: Life): void {
        this.#db.transaction(() => {
            this.#db.run("delete from lives where life = ?", life);
            this.#rows.delete(life);
        });
    }

    #load(): Map<Life, LifeRow> {
        const rows = this.#db.rows("lives", "order by created_at, rowid").map((row) => this.#read(row));
        return new Map(rows.map((row) => [row.life, row]));
    }

    #read(row: Row): LifeRow {
        return {
            ...describedIn(this.#seal, row),
            generated: parse(row.generated) as readonly string[],
            desired: row.desired as LifeRow["desired"],
            removal: optional(row.removal, (value) => parse(value) as Removal),
            restore: optional(row.restore, (value) => parse(value) as Restore),
            confirmed: row.confirmed === 1,
            session: row.session as SessionId,
            operation: String(row.operation),
            answered: row.answered === 1,
            epoch: Number(row.epoch),
            createdAt: Number(row.created_at),
            namedAt: optional(row.named_at, Number),
            made: row.made === 1,
            work: row.work as LifeRow["work"],
            state: row.state as LifeRow["state"],
            since: Number(row.since),
            reasons: parse(row.reasons) as readonly string[],
        };
    }
}
