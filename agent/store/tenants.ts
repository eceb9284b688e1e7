import type { Settings } from "../../protocol/api.ts";
import type { SessionId, TenantId } from "../../protocol/ids.ts";
import type { Database, Row } from "./database.ts";
import { optional } from "./rows.ts";

/** One owner on this machine: a Node of a Pulumi program. */
export interface TenantRow {
    readonly tenant: TenantId;
    readonly urn: string;
    readonly name: string;
    readonly settings: Settings;
    readonly confirmed: boolean;
    /** Its Node is gone; it stays as long as lives of it do. */
    readonly deleted: boolean;
    readonly session: SessionId;
    readonly operation: string;
    /** Its create was answered with its id: from then on the engine may know it. */
    readonly answered: boolean;
    readonly epoch: number;
    readonly createdAt: number;
    /** When a session last called for it. */
    readonly seenAt?: number | undefined;
}

/** Removed tenants that are remembered. */
const REMEMBERED = 1_000;

export class Tenants {
    readonly #db: Database;

    constructor(db: Database) {
        this.#db = db;
    }

    get(tenant: TenantId): TenantRow | undefined {
        const row = this.#db.row("tenants", "where id = ?", tenant);
        return row && read(row);
    }

    all(): readonly TenantRow[] {
        return this.#db.rows("tenants", "order by created_at, rowid").map(read);
    }

    put(row: TenantRow): TenantRow {
        this.#db.put("tenants", {
            id: row.tenant,
            urn: row.urn,
            name: row.name,
            install_packages: Number(row.settings.installPackages),
            confirmed: Number(row.confirmed),
            deleted: Number(row.deleted),
            session: row.session,
            operation: row.operation,
            answered: Number(row.answered),
            epoch: row.epoch,
            created_at: row.createdAt,
            seen_at: row.seenAt ?? null,
        });
        return row;
    }

    /** Changes some of a row that is there; undefined when it is not. */
    change(tenant: TenantId, changes: Partial<TenantRow>): TenantRow | undefined {
        const row = this.get(tenant);
        return row && this.put({ ...row, ...changes });
    }

    /** For good: from now on it is known to have gone, which is not the same as not to be known. */
    remove(tenant: TenantId): void {
        this.#db.transaction(() => {
            this.#db.run("delete from tenants where id = ?", tenant);
            if (this.#isFormer(tenant)) return;
            const number = this.#db.nextNumber("former_tenants");
            this.#db.put("former_tenants", { number, id: tenant });
            this.#db.run("delete from former_tenants where number <= ?", number - REMEMBERED);
        });
    }

    /** It was here and its Node was removed. One that is neither this nor here came after this store was copied. */
    wasRemoved(tenant: TenantId): boolean {
        return this.get(tenant)?.deleted ?? this.#isFormer(tenant);
    }

    #isFormer(tenant: TenantId): boolean {
        return this.#db.row("former_tenants", "where id = ?", tenant) !== undefined;
    }
}

const read = (row: Row): TenantRow => ({
    tenant: row.id as TenantId,
    urn: String(row.urn),
    name: String(row.name),
    settings: { installPackages: row.install_packages === 1 },
    confirmed: row.confirmed === 1,
    deleted: row.deleted === 1,
    session: row.session as SessionId,
    operation: String(row.operation),
    answered: row.answered === 1,
    epoch: Number(row.epoch),
    createdAt: Number(row.created_at),
    seenAt: optional(row.seen_at, Number),
});
