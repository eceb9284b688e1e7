import { DatabaseSync } from "node:sqlite";
import type { Row } from "./database.ts";
import { type Described, describedIn } from "./rows.ts";

/** A resource without its secrets. */
export interface DescribedRow extends Described {
    readonly trashed: boolean;
}

/** What stands in a store, read beside an agent that may be using it. Changes nothing, and opens no secret. */
export const lookIntoStore = (path: string): readonly DescribedRow[] => {
    const db = new DatabaseSync(path, { readOnly: true });
    try {
        db.exec("pragma busy_timeout = 5000");
        const rows = db
            .prepare(
                `select life, tenant, kind, urn, name, spec, null as secrets, uses, 0 as trashed from lives
                 union all select life, tenant, kind, urn, name, spec, null, uses, 1 from trash`,
            )
            .all() as readonly Row[];
        return rows.map((row) => ({ ...describedIn(NO_SEAL, row), trashed: row.trashed === 1 }));
    } finally {
        db.close();
    }
};

const refuse = (): never => {
    throw new TypeError("secrets are not looked at here");
};
const NO_SEAL = { seal: refuse, open: refuse };
