import type { Caller } from "../../protocol/api.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import { isLife, isTenantId, type Life, type TenantId } from "../../protocol/ids.ts";
import { called } from "../reconciler/inventory.ts";
import type { LifeRow } from "../store/lives.ts";
import type { TenantRow } from "../store/tenants.ts";
import type { Call, Core } from "./core.ts";

/** When a life was last named, or a tenant called for, is written down no oftener. */
const NAMED_EVERY_MS = 60_000;

/** The tenant that a call is for, undefined when this machine has none such. What the call proves is written down. Throws MACHINE_CHANGED. */
export const tenantOf = (core: Core, caller: Caller, named: readonly Life[] = []): TenantRow | undefined => {
    requireMachine(core, caller);
    const tenant = core.store.tenants.get(caller.tenant);
    confirm(core, caller.seen);
    if (tenant && !tenant.deleted) {
        confirm(core, [caller.tenant, ...named.filter((life) => ownLife(core, caller, life))]);
        noteSeen(core, tenant);
    }
    return tenant?.deleted ? undefined : tenant;
};

/** Throws MACHINE_CHANGED. */
export const requireMachine = (core: Core, meant: Pick<Caller, "machine">): void => {
    if (meant.machine !== core.machine) throw otherMachine(core, meant);
};

const noteSeen = ({ store, clock }: Core, { tenant, seenAt }: TenantRow): void => {
    const now = clock.now();
    if (seenAt === undefined || seenAt <= now - NAMED_EVERY_MS) store.soon(() => store.tenants.change(tenant, { seenAt: now }));
};

/** For what only a known tenant may do. */
export const knownTenantOf = (core: Core, caller: Caller, named: readonly Life[] = []): TenantRow => {
    const tenant = tenantOf(core, caller, named);
    if (tenant) return tenant;
    const why = core.store.tenants.wasRemoved(caller.tenant)
        ? "its Node was removed"
        : "the agent has no record of it: its desired state is older than the stack's";
    throw new ZeroformError({
        code: "TENANT_UNKNOWN",
        message: `the node has no owner ${caller.tenant} (${why})`,
        hint: "Run `pulumi refresh`, then `pulumi up`.",
    });
};

/** A tenant that somebody names by hand. Throws MACHINE_CHANGED, and TENANT_UNKNOWN. */
export const namedTenantOf = (core: Core, named: Pick<Caller, "machine" | "tenant">): TenantRow => {
    requireMachine(core, named);
    const found = core.store.tenants.get(named.tenant);
    if (found) return found;
    throw new ZeroformError({
        code: "TENANT_UNKNOWN",
        message: `there is no tenant ${named.tenant} on this node`,
        hint: "`zeroform tenants <host>` shows who is.",
    });
};

/** A life that is the caller's: live, being removed or kept. */
export const ownLife = (core: Core, caller: Caller, life: Life): LifeRow | undefined => {
    const row = core.store.lives.get(life);
    return row?.tenant === caller.tenant ? row : undefined;
};

/** Proof that the engine has saved these: it named them. On the disk before the call is answered. `byMaker`: only that, because nobody asked for them since they were made. */
export const confirm = (core: Core, ids: readonly (Life | TenantId)[], byMaker = false): void => {
    const { store, clock } = core;
    const now = clock.now();
    const isTold = (id: Life | TenantId): boolean => {
        if (isTenantId(id)) return store.tenants.get(id)?.confirmed !== false;
        const row = isLife(id) ? store.lives.get(id) : undefined;
        return row === undefined || (row.confirmed && (byMaker || (row.namedAt !== undefined && row.namedAt > now - NAMED_EVERY_MS)));
    };
    const news = ids.filter((id) => !isTold(id));
    if (news.length === 0) return;
    store.soon(() => {
        for (const id of news) {
            if (isTenantId(id)) store.tenants.change(id, { confirmed: true });
            else store.lives.change(id, { confirmed: true, ...(!byMaker && { namedAt: now }) });
        }
    });
};

/** Age of the caller's session; throws SUPERSEDED when a younger one has touched this since. */
export const epochFor = (
    core: Core,
    call: Call,
    touched: { readonly epoch: number; readonly name: string; readonly kind?: string },
): number => {
    const epoch = core.store.sessions.epoch(call.session);
    if (epoch >= touched.epoch) return epoch;
    throw new ZeroformError({
        code: "SUPERSEDED",
        message: `a later run of the program has changed ${called({ kind: touched.kind ?? "Node", name: touched.name })} since`,
        hint: "Nothing was done for this older run.",
    });
};

const otherMachine = (core: Core, caller: Pick<Caller, "machine">) =>
    new ZeroformError({
        code: "MACHINE_CHANGED",
        message: `the machine at this address is ${core.machine}, and the state of the program is about ${caller.machine}`,
        hint: `${wayBack(core, caller)}If it was reinstalled or replaced, say so by changing \`machine\` of the Node (such as machine: "2").`,
    });

/** Its store was lost, and another Node has begun anew here since. */
const wayBack = ({ formerly }: Core, { machine }: Pick<Caller, "machine">): string => {
    const former = formerly(machine);
    if (!former) return "";
    const store = former.storeFile ?? "a copy of its store";
    return `Its desired state was lost, and another Node has begun anew there since: to go back to it, stop zeroform-agent, put ${former.machineFile} back as machine.json and ${store} as store.db. `;
};
