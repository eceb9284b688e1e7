import type { TenantId } from "../../protocol/ids.ts";
import type { Store } from "../store/store.ts";

/** A tenant whose Node is gone stays only as long as something of it does. */
export const closeTenant = (store: Store, tenant: TenantId): void => {
    if (!store.tenants.get(tenant)?.deleted) return;
    if (store.lives.where((each) => each.tenant === tenant).length === 0) store.tenants.remove(tenant);
};
