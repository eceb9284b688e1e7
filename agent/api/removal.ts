import { ZeroformError } from "../../protocol/errors.ts";
import { called } from "../reconciler/inventory.ts";
import type { Waiting } from "../reconciler/reconciler.ts";
import type { LifeRow, Removal } from "../store/lives.ts";
import type { Core } from "./core.ts";

/** Where what is removed is to go: its data to the trash for so long, or nowhere. */
export const removalOf = (core: Core, row: LifeRow, wish: { readonly keep: boolean; readonly trashMs: number }): Removal => {
    const place = wish.keep ? undefined : core.parts.drivers[row.kind].trashPlace(core.parts.inventory.resource(row));
    return place === undefined ? wish : { ...wish, place };
};

/** Writes down that it is to go, and begins. One that is going already keeps the first wish. */
export const wantRemoved = (core: Core, row: LifeRow, removal: Removal, epoch: number): void => {
    if (row.desired === "removed") return;
    writeRemoval(core, row, removal, epoch);
    beginRemoval(core, row);
};

export const writeRemoval = ({ store, clock }: Core, row: LifeRow, removal: Removal, epoch: number): void => {
    store.lives.put({
        ...row,
        desired: "removed",
        removal,
        epoch: Math.max(row.epoch, epoch),
        state: "removing",
        since: clock.now(),
        reasons: [],
    });
};

export const beginRemoval = ({ parts, reconciler }: Core, { life }: LifeRow): void => {
    reconciler.desiredChanged(life);
    // What stands on it and is going too no longer waits for it to come back.
    for (const each of parts.inventory.standingOn(life)) if (each.desired === "removed") reconciler.desiredChanged(each.life);
};

/** Waits until it is gone. Throws with the agent's own words when that fails or takes too long; it goes on being removed all the same. */
export const awaitRemoval = async (core: Core, row: LifeRow, waiting: Waiting): Promise<void> => {
    const outcome = await core.reconciler.settled(row.life, waiting);
    if (outcome.state === "gone") return;
    const reasons = core.store.lives.get(row.life)?.reasons ?? [];
    if (outcome.state === "unfinished" && outcome.failure && !outcome.failure.retryable)
        throw outcome.failure.with({ action: "remove", kind: row.kind, name: row.name });
    throw new ZeroformError({
        code: "TIMEOUT",
        action: "remove",
        kind: row.kind,
        name: row.name,
        message: `${called(row)} is still being removed${reasons.length > 0 ? `: ${reasons.join("; ")}` : ""}`,
        hint: "The agent goes on; run the same again to wait for it, with a longer `timeouts.delete` if need be.",
        retryable: true,
    });
};
