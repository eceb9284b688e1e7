import type { Params } from "../../protocol/api.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import { called } from "../reconciler/inventory.ts";
import type { LifeRow } from "../store/lives.ts";
import { epochFor, ownLife, tenantOf } from "./caller.ts";
import type { Call, Core } from "./core.ts";
import { awaitRemoval, removalOf, wantRemoved } from "./removal.ts";
import { refuseRemoval, withoutRecord } from "./without-record.ts";

/** Removes a life, a kept one too, and answers when it is gone. Absent is success. */
export const deleteResource = async (core: Core, params: Params<"resource.delete">, call: Call): Promise<Record<string, never>> => {
    const { caller, life, onRemove, trashMs, waitMs } = params;
    tenantOf(core, caller, [life]);
    const found = await withoutRecord(core, life);
    if (found) throw refuseRemoval(life, found);
    await core.lock.run(life, async () => {
        const row = ownLife(core, caller, life);
        if (!row || row.desired === "removed" || (row.desired === "kept" && onRemove === "keep")) return;
        const epoch = epochFor(core, call, row);
        if (core.parts.inventory.liesOnKept(row)) throw outOfReach(core, row);
        // What is kept may lie on what is kept.
        const mayCarry = onRemove === "keep" || row.desired === "kept";
        const users = core.store.lives.using(life).filter(({ desired }) => desired === "present" || (desired === "kept" && !mayCarry));
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
        await awaitRemoval(core, going, { until: core.clock.uptime() + waitMs, signal: call.signal, progress: call.progress });
    leaveWithTheLast(core);
    return {};
};

/** Kept data on a ground that is kept too, or in the trash, and so not mounted. */
export const outOfReach = ({ store }: Core, row: LifeRow): ZeroformError => {
    const ground = Object.values(row.uses).map((used) => store.lives.get(used) ?? store.trash.get(used));
    const under = ground.find((each) => each !== undefined);
    return new ZeroformError({
        code: "IN_USE",
        kind: row.kind,
        name: row.name,
        message: `its data lie on ${under ? `${called(under)} (${under.life})` : "something"}, which was removed too and is not mounted`,
        hint: "Bring that back first with `zeroform trash restore`, or remove it: they go with it.",
    });
};

/** What a Node has left behind was the agent's last reason to stay, also when the run that removed the Node was killed since. */
const leaveWithTheLast = ({ store, sessions, onRemoved }: Core): void => {
    const after = store.leavingAfter();
    if (after === undefined || store.tenants.all().length > 0 || !sessions.hasEnded(after)) return;
    store.setLeaving(true);
    onRemoved();
};
