import type { Params } from "../../protocol/api.ts";
import { partsOf } from "../../protocol/urn.ts";
import { epochFor, knownTenantOf, ownLife } from "./caller.ts";
import type { Call, Core } from "./core.ts";

/** A Node, or a resource on it, is called otherwise from now on: by its URN a stack whose state was lost finds it again. */
export const renameTenant = async (
    core: Core,
    { caller, life, urn }: Params<"tenant.rename">,
    call: Call,
): Promise<Record<string, never>> => {
    const { store } = core;
    const tenant = knownTenantOf(core, caller, life === undefined ? [] : [life]);
    const { name } = partsOf(urn);
    const row = life === undefined ? undefined : ownLife(core, caller, life);
    if (row) store.lives.change(row.life, { urn, name, epoch: epochFor(core, call, row) });
    else if (life === undefined) store.tenants.change(tenant.tenant, { urn, name, epoch: epochFor(core, call, tenant) });
    return {};
};
