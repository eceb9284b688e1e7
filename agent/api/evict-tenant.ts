import type { Params, Result } from "../../protocol/api.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import type { LifeRow } from "../store/lives.ts";
import type { TenantRow } from "../store/tenants.ts";
import { namedTenantOf } from "./caller.ts";
import type { Call, Core } from "./core.ts";
import { remaining } from "./nodes.ts";
import { awaitRemoval, beginRemoval, removalOf, writeRemoval } from "./removal.ts";

/**
 * Removes a tenant with everything that it has, what stands on something before that. What is to go is written down at once: a
 * machine that loses power in the middle goes on by itself.
 */
export const evictTenant = async (core: Core, params: Params<"tenant.evict">, call: Call): Promise<Result<"tenant.evict">> => {
    const found = namedTenantOf(core, params);
    const { sessions, clock } = core;
    if (sessions.isWorkedFor(found.tenant, call.session)) throw activeNow(found);
    const going = await core.lock.run(found.urn, async () => {
        // Creates that are being admitted have their row, or find that their Node is gone.
        if (sessions.isWorkedFor(found.tenant, call.session)) throw activeNow(found);
        return close(core, found, params.trashMs, call);
    });
    const until = clock.uptime() + params.waitMs;
    for (const row of going) await awaitRemoval(core, row, { until, signal: call.signal, progress: call.progress });
    core.onRemoved();
    return { removed: going.map(({ life, kind, urn }) => ({ life, kind, urn })), agent: remaining(core) };
};

/** All of it or nothing. */
const close = (core: Core, { tenant, name }: TenantRow, trashMs: number, call: Call): readonly LifeRow[] => {
    const { store, parts } = core;
    const epoch = store.sessions.epoch(call.session);
    const own = store.lives.where((row) => row.tenant === tenant);
    // Kept data on a mount that is kept too cannot be reached, and go where that goes.
    const going = own.filter((row) => !parts.inventory.liesOnKept(row));
    store.transaction(() => {
        store.tenants.change(tenant, { deleted: true, epoch });
        for (const row of going.filter(({ desired }) => desired !== "removed"))
            writeRemoval(core, row, removalOf(core, row, { keep: false, trashMs }), epoch);
        if (own.length === 0) store.tenants.remove(tenant);
        // No engine has to hear of it first: nothing is left that would ask again.
        if (store.tenants.all().every(({ deleted }) => deleted)) store.setLeaving(true);
        parts.tell(
            "evicted",
            `Node "${name}" (${tenant}) with ${own.length === 1 ? "1 resource" : `${own.length} resources`}, because its stack is lost`,
        );
    });
    for (const row of going) beginRemoval(core, row);
    return going;
};

const activeNow = ({ tenant, name }: TenantRow) =>
    new ZeroformError({
        code: "BUSY",
        action: "evict",
        message: `a run of \`pulumi\` works with Node "${name}" (${tenant}) on this machine at this moment, so its stack is not lost`,
        hint: "Let it end, or end it, and look at `zeroform tenants` again.",
    });
