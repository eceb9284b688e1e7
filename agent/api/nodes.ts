import type { NodeRemoval, NodeReport, Params, Result } from "../../protocol/api.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import { mintTenantId } from "../../protocol/ids.ts";
import { VERSION } from "../../protocol/version.ts";
import { DEFAULT_TRASH_MS } from "../reconciler/trash-times.ts";
import type { LifeRow } from "../store/lives.ts";
import type { TenantRow } from "../store/tenants.ts";
import { confirm, epochFor, knownTenantOf, tenantOf } from "./caller.ts";
import type { Call, Core } from "./core.ts";
import { awaited } from "./create-resource.ts";
import { leftBehind } from "./leftovers.ts";
import { awaitRemoval, removalOf, wantRemoved } from "./removal.ts";
import { isWithoutRecord, NO_RECORD, takeOverNode } from "./without-record.ts";

/** How long a Node's operation waits for the removal of lives that nobody knows, and for another operation on the same Node. */
const REMOVAL_MS = 2 * 60_000;

/** Mints a tenant, after the ones of the same Node that crashed runs left behind are gone. */
export const createNode = async (core: Core, params: Params<"node.create">, call: Call): Promise<NodeReport> => {
    const { store } = core;
    const { urn, name, settings, operation } = params;
    confirm(core, params.seen);
    return awaited(core, operation, () =>
        core.lock.run(urn, async () => {
            const known = store.tenants.all().find((each) => each.operation === operation && !each.deleted);
            if (known) epochFor(core, call, known);
            else await clearTenants(core, call, urn);
            const tenant =
                known ??
                store.transaction(() => {
                    store.setLeaving(false);
                    return store.tenants.put({
                        tenant: mintTenantId(),
                        urn,
                        name,
                        settings: { installPackages: settings.installPackages },
                        confirmed: false,
                        deleted: false,
                        session: call.session,
                        operation,
                        answered: false,
                        epoch: store.sessions.epoch(call.session),
                        createdAt: core.clock.now(),
                    });
                });
            core.sessions.worksFor(call.session, tenant.tenant);
            const report = await nodeReport(core, tenant);
            store.tenants.change(tenant.tenant, { answered: true });
            return report;
        }),
    );
};

/** Unconfirmed tenants of a Node without a confirmed life: the engine does not know them. */
const clearTenants = async (core: Core, call: Call, urn: string): Promise<void> => {
    const { store } = core;
    const same = store.tenants
        .all()
        .filter((each) => each.urn === urn && !each.deleted && !livesOf(core, each).some((row) => row.confirmed));
    for (const tenant of await leftBehind(core, call, same, `Node "${same.at(0)?.name}"`)) {
        if (store.tenants.get(tenant.tenant)?.confirmed !== false) continue;
        call.progress(`removing what a run that crashed left of Node "${tenant.name}"`);
        await closeTenant(core, call, tenant, DEFAULT_TRASH_MS);
    }
};

export const updateNode = async (core: Core, { caller, urn, settings }: Params<"node.update">, call: Call): Promise<NodeReport> => {
    if (isWithoutRecord(core, caller)) takeOverNode(core, caller.tenant, urn, settings, call);
    const tenant = knownTenantOf(core, caller);
    const epoch = epochFor(core, call, tenant);
    const changed = core.store.tenants.change(tenant.tenant, { urn, settings: { installPackages: settings.installPackages }, epoch });
    return nodeReport(core, changed ?? tenant);
};

export const readNode = async (core: Core, { caller }: Params<"node.read">): Promise<Result<"node.read">> => {
    const tenant = tenantOf(core, caller);
    if (tenant) return { found: true, ...(await nodeReport(core, tenant)) };
    if (!isWithoutRecord(core, caller)) return { found: false };
    return { found: true, ...(await nodeReport(core, caller)), reasons: [NO_RECORD] };
};

/** Whether a Node of this URN was made on this machine. */
export const knownNode = async (core: Core, { urn }: Params<"node.known">): Promise<Result<"node.known">> => ({
    known: core.store.tenants.all().some((each) => each.urn === urn && !each.deleted),
});

/**
 * Removes what the engine never knew; what it knew and left here stays. The agent goes with the last of it, once the session has ended in
 * order: a run that was killed before its engine has saved the answer will ask again, and has to find an agent that says "gone".
 */
export const deleteNode = async (core: Core, { caller, trashMs }: Params<"node.delete">, call: Call): Promise<NodeRemoval> => {
    const tenant = tenantOf(core, caller);
    if (tenant) {
        epochFor(core, call, tenant);
        await inTurn(core, call, tenant, () => closeTenant(core, call, tenant, trashMs));
    }
    const kept = core.store.lives.where((row) => row.tenant === caller.tenant && row.desired !== "removed");
    const isLast = core.store.tenants.all().every((each) => each.deleted);
    core.store.setLeaving(isLast && { after: call.session });
    return { kept: kept.map(({ life, kind, urn }) => ({ life, kind, urn })), agent: remaining(core) };
};

/** After other operations on the same Node; throws BUSY when they do not end. */
const inTurn = async (core: Core, call: Call, tenant: TenantRow, act: () => Promise<void>): Promise<void> => {
    const { promise: calledOff, reject } = Promise.withResolvers<never>();
    let waits = true;
    const busy = () => reject(busyWith(tenant));
    const callOff = core.clock.after(REMOVAL_MS, busy);
    const gone = () => reject(call.signal.reason);
    call.signal.addEventListener("abort", gone, { once: true });
    const turn = core.lock.run(tenant.urn, async () => {
        callOff();
        if (waits) await act();
    });
    try {
        await Promise.race([turn, calledOff]);
    } finally {
        waits = false;
        callOff();
        call.signal.removeEventListener("abort", gone);
    }
};

const busyWith = ({ name }: TenantRow) =>
    new ZeroformError({
        code: "BUSY",
        action: "remove",
        kind: "Node",
        name,
        message: `another run is making or removing Node "${name}" on this machine, and did not end within ${REMOVAL_MS / 60_000} minutes`,
        hint: "Let it end, or end it, and try again.",
        retryable: true,
    });

/** What keeps the agent here. */
export const remaining = ({ store }: Pick<Core, "store">): NodeRemoval["agent"] => {
    if (store.tenants.all().length > 0 || store.lives.all().length > 0) return "stays";
    return store.trash.all().length > 0 ? "trash" : "removed";
};

/** Lives that the engine knows stay, and the tenant as long as they do. */
const closeTenant = async (core: Core, call: Call, tenant: TenantRow, trashMs: number): Promise<void> => {
    const { store } = core;
    const epoch = store.sessions.epoch(call.session);
    const unknown = livesOf(core, tenant).filter((row) => !row.confirmed && row.desired === "present");
    for (const row of unknown) wantRemoved(core, row, removalOf(core, row, { keep: false, trashMs }), epoch);
    const until = core.clock.uptime() + REMOVAL_MS;
    for (const row of livesOf(core, tenant).filter((each) => each.desired === "removed"))
        await awaitRemoval(core, row, { until, signal: call.signal, progress: call.progress });
    store.transaction(() => {
        if (livesOf(core, tenant).length > 0) store.tenants.change(tenant.tenant, { deleted: true, epoch });
        else store.tenants.remove(tenant.tenant);
    });
};

const livesOf = ({ store }: Core, { tenant }: TenantRow): readonly LifeRow[] => store.lives.where((row) => row.tenant === tenant);

const nodeReport = async (core: Core, { tenant }: Pick<TenantRow, "tenant">): Promise<NodeReport> => ({
    machine: core.machine,
    tenant,
    agentVersion: VERSION,
    facts: await core.parts.os.machine.facts(),
});
