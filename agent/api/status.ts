import type { MachineStatus, ResourceStatus, TenantStatus, Welcome } from "../../protocol/api.ts";
import type { LifeRow } from "../store/lives.ts";
import type { TenantRow } from "../store/tenants.ts";
import type { Core } from "./core.ts";
import { notesOf } from "./report.ts";
import { listTrash } from "./trash.ts";

/** Events that are shown when nobody says how many. */
const EVENTS = 50;
const MOST_EVENTS = 1_000;

/** Everything about a machine whose store is sound. */
export const statusOf = async (
    core: Core,
    welcome: Welcome,
    awaitingRestart: readonly string[],
    events = EVENTS,
): Promise<MachineStatus> => ({
    welcome,
    facts: await core.parts.os.machine.facts(),
    tenants: core.store.tenants.all().map(statusOfTenant),
    resources: core.store.lives.all().map((row) => statusOfLife(core, row)),
    trash: await listTrash(core),
    events: core.store.events.latest(Math.min(events, MOST_EVENTS)),
    awaitingRestart,
});

export const statusOfTenant = ({ tenant, urn, confirmed, deleted, createdAt, seenAt }: TenantRow): TenantStatus => ({
    tenant,
    urn,
    confirmed,
    deleted,
    createdAt,
    ...(seenAt === undefined ? {} : { seenAt }),
});

const statusOfLife = (core: Core, row: LifeRow): ResourceStatus => ({
    life: row.life,
    kind: row.kind,
    urn: row.urn,
    tenant: row.tenant,
    name: row.name,
    state: row.state,
    reasons: row.reasons,
    since: row.since,
    createdAt: row.createdAt,
    confirmed: row.confirmed,
    ...(row.namedAt === undefined ? {} : { namedAt: row.namedAt }),
    outputs: core.reconciler.seen(row.life)?.outputs ?? {},
    ...notesOf(core.reconciler.seen(row.life)),
});
