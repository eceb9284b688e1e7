import type { DisclosedLife, Params, Result } from "../../protocol/api.ts";
import type { LifeRow } from "../store/lives.ts";
import { namedTenantOf } from "./caller.ts";
import type { Call, Core } from "./core.ts";
import { statusOfTenant } from "./status.ts";

/** All that a tenant wants here, for whoever may do everything here anyway: root with a session. It is written down that it was asked for. */
export const discloseTenant = async (core: Core, params: Params<"tenant.disclose">, _call: Call): Promise<Result<"tenant.disclose">> => {
    const tenant = namedTenantOf(core, params);
    const { store, parts } = core;
    const own = store.lives.where((row) => row.tenant === tenant.tenant);
    parts.tell(
        "disclosed",
        `what Node "${tenant.name}" (${tenant.tenant}) wants here was read, secrets included, to put its state together again`,
    );
    return {
        tenant: { ...statusOfTenant(tenant), settings: tenant.settings },
        lives: groundFirst(own.filter(({ desired }) => desired === "present")).map(disclosed),
        kept: own.filter(({ desired }) => desired === "kept").map(({ life, kind, urn }) => ({ life, kind, urn })),
    };
};

const disclosed = ({ life, kind, urn, name, spec, generated, uses, confirmed, createdAt }: LifeRow): DisclosedLife => ({
    life,
    kind,
    urn,
    name,
    spec,
    generated,
    uses,
    confirmed,
    createdAt,
});

/** What is referred to comes before what refers to it. */
const groundFirst = (rows: readonly LifeRow[]): readonly LifeRow[] => {
    const depth = (row: LifeRow): number =>
        1 +
        Math.max(
            0,
            ...Object.values(row.uses)
                .map((used) => rows.find(({ life }) => life === used))
                .map((used) => (used ? depth(used) : 0)),
        );
    return rows.toSorted((one, other) => depth(one) - depth(other));
};
