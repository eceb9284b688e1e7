import type { Life } from "../../protocol/ids.ts";
import type { Database, Row } from "./database.ts";
import { type Described, describedIn, sealSpec } from "./rows.ts";
import type { Seal } from "./sealing.ts";

/** What was removed and is kept for a while. */
export interface TrashRow extends Described {
    /** Where the data are. */
    readonly place: string;
    /** Unix milliseconds, for people. */
    readonly removedAt: number;
    /** When that was in the machine's running time. */
    readonly cameAt: number;
    /** How much of that it stays. */
    readonly keepMs: number;
}

/** All that lies in the trash of this machine, oldest first. */
export class Trash {
    readonly #db: Database;
    readonly #seal: Seal;
    #rows: Map<Life, TrashRow>;

    constructor(db: Database, seal: Seal) {
        this.#db = db;
        this.#seal = seal;
        this.#rows = this.#load();
        db.onRollback(() => {
            this.#rows = this.#load();
        });
    }

    get(life: Life): TrashRow | undefined {
        return this.#rows.get(life);
    }

    all(): readonly TrashRow[] {
        return [...this.#rows.values()];
    }

    /** What lies on the data of another one. */
    using(life: Life): readonly TrashRow[] {
        return this.all().filter((row) => Object.values(row.uses).includes(life));
    }

    put(row: TrashRow): void {
        const { spec, secrets } = sealSpec(this.#seal, row.kind, row.spec, row.life);
        this.#db.transaction(() => {
            this.#db.put("trash", {
                life: row.life,
                tenant: row.tenant,
                kind: row.kind,
                urn: row.urn,
                name: row.name,
                spec,
                secrets,
                uses: JSON.stringify(row.uses),
                place: row.place,
                removed_at: row.removedAt,
                keep_ms: row.keepMs,
                came_at: row.cameAt,
            });
            this.#rows.set(row.life, row);
        });
    }

    remove(life: Life): void {
        this.#db.transaction(() => {
            this.#db.run("delete from trash where life = ?", life);
            this.#rows.delete(life);
        });
    }

    #load(): Map<Life, TrashRow> {
        const rows = this.#db.rows("trash", "order by removed_at, rowid").map((row) => this.#read(row));
        return new Map(rows.map((row) => [row.life, row]));
    }

    #read(row: Row): TrashRow {
        return {
            ...describedIn(this.#seal, row),
            place: String(row.place),
            removedAt: Number(row.removed_at),
            cameAt: Number(row.came_at),
            keepMs: Number(row.keep_ms),
        };
    }
}
