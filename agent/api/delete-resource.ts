import type { Params } from "../../protocol/api.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import { called } from "../reconciler/inventory.ts";
import { epochFor, ownLife, tenantOf } from "./caller.ts";
import type { Call, Core } from "./core.ts";
import { awaitRemoval, removalOf, wantRemoved } from "./removal.ts";

/** Removes a life, a kept one too, and answers when it is gone. Absent is success. */
export const deleteResource = async (core: Core, params: Params<"resource.delete">, call: Call): Promise<Record<string, never>> => {
    const { caller, life, onRemove, trashMs, waitMs } = params;
    tenantOf(core, caller, [life]);
    await core.lock.run(life, async () => {
        const row = ownLife(core, caller, life);
        if (!row || row.desired === "removed" || (row.desired === "kept" && onRemove === "keep")) return;
        const epoch = epochFor(core, call, row);
        const users = core.store.lives.using(life).filter((each) => each.desired !== "removed");
        if (users.length > 0)
            throw new ZeroformError({
                code: "IN_USE",
                kind: row.kind,
                name: row.name,
                message: `${called(row)} is in use by ${users.map((each) => (each.desired === "kept" ? `the kept data of ${called(each)}` : called(each))).join(", ")}`,
                hint: `Remove what uses it first; what no program knows any more goes to the trash with ${users.map((each) => `\`zeroform remove ${each.life}\``).join(", ")}.`,
            });
        wantRemoved(core, row, removalOf(core, row, { keep: onRemove === "keep", trashMs }), epoch);
    });
    const going = ownLife(core, caller, life);
    if (going?.desired === "removed")
        await awaitRemoval(core, going, { until: core.clock.now() + waitMs, signal: call.signal, progress: call.progress });
    leaveWithTheLast(core);
    return {};
};

/** What a Node has left behind was the agent's last reason to stay, also when the run that removed the Node was killed since. */
const leaveWithTheLast = ({ store, sessions, onRemoved }: Core): void => {
    const after = store.leavingAfter();
    if (after === undefined || store.tenants.all().length > 0 || !sessions.hasEnded(after)) return;
    store.setLeaving(true);
    onRemoved();
};
