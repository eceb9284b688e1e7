import { ZeroformError } from "../../protocol/errors.ts";
import type { Life } from "../../protocol/ids.ts";
import type { Work } from "../os/os.ts";
import type { LifeRow, Restore } from "../store/lives.ts";
import { closeTenant } from "./close-tenant.ts";
import type { Machinery } from "./machinery.ts";
import { DEFAULT_TRASH_MS, KEPT_MS } from "./trash-times.ts";

/** Said before anything was touched: a wish to restore that ends so is dropped. */
const REFUSALS: readonly string[] = ["INVALID", "NO_ROOM", "CONFLICT", "IN_USE", "LIFE_UNKNOWN"];

/**
 * Puts data of the trash in the place of a resource's own, which go to the trash. What stands on it is made again afterwards.
 * A wish that is refused, or that its resource's removal overtakes, is dropped as long as nothing has been moved.
 */
export const exchange = async (parts: Machinery, row: LifeRow, work: Work): Promise<void> => {
    const plan = row.restore;
    if (!plan) return;
    // Whoever purges meanwhile waits, and then finds that it is wanted or back.
    await parts.trash.holding(plan.from, async () => {
        if (row.desired === "removed" && !(await hasBegun(parts, row, plan, work)))
            return drop(parts, row, "its resource is being removed");
        try {
            await move(parts, row, plan, work);
        } catch (failure) {
            if (failure instanceof ZeroformError && REFUSALS.includes(failure.code) && !(await hasBegun(parts, row, plan, work)))
                drop(parts, row, failure.message);
            throw failure;
        }
    });
};

/** Its own data have left their place. */
const hasBegun = async ({ drivers, inventory, context }: Machinery, row: LifeRow, plan: Restore, work: Work): Promise<boolean> =>
    (await drivers[row.kind].trashedBytes({ resource: { ...inventory.resource(row), life: plan.own }, place: plan.place }, context(work))) >
    0;

const drop = ({ store, tell }: Machinery, row: LifeRow, why: string): void => {
    store.transaction(() => {
        store.lives.change(row.life, { restore: undefined, work: "heal" });
        tell("broken", `its data were not restored: ${why}`, row);
    });
};

const noLonger = (life: Life) =>
    new ZeroformError({
        code: "LIFE_UNKNOWN",
        message: `the data of ${life} are not in the trash any more`,
        hint: "`zeroform trash list` shows what there is.",
    });

const move = async (parts: Machinery, row: LifeRow, plan: Restore, work: Work): Promise<void> => {
    const { store, drivers, inventory, clock } = parts;
    const driver = drivers[row.kind];
    const into = inventory.resource(row);
    const own = { resource: { ...into, life: plan.own }, place: plan.place };

    const from = store.trash.get(plan.from);
    if (!from) throw noLonger(plan.from);
    await driver.restore(inventory.trashed(from), into, plan.place, parts.context(work));
    const ownBytes = await driver.trashedBytes(own, parts.context(work));

    store.transaction(() => {
        const now = clock.now();
        store.trash.remove(plan.from);
        // Trash that lay on either side has moved with it.
        for (const each of store.trash.using(row.life)) store.trash.put({ ...each, uses: swapped(each.uses, row.life, plan.own) });
        for (const each of store.trash.using(plan.from)) store.trash.put({ ...each, uses: swapped(each.uses, plan.from, row.life) });
        keptToTrash(parts, row.life, plan.own);
        keptToTrash(parts, plan.from, row.life);
        const coming = { removedAt: now, cameAt: store.running.now(), keepMs: DEFAULT_TRASH_MS };
        if (ownBytes > 0) store.trash.put({ ...row, life: plan.own, place: plan.place, ...coming });
        store.lives.change(row.life, { restore: undefined, made: false });
        // Their data were on what is in the trash now: they begin anew on what has come back.
        for (const each of inventory.standingOn(row.life).filter(({ desired }) => desired === "present"))
            store.lives.change(each.life, { made: false, work: "make", state: "unfinished", since: now });
    });
};

/** Kept data that lie on what has moved are found there like trash from now on, and stay until somebody purges them. */
const keptToTrash = ({ store, drivers, inventory, clock }: Machinery, on: Life, now: Life): void => {
    for (const row of store.lives.using(on).filter(({ desired }) => desired === "kept")) {
        const place = drivers[row.kind].keptPlace(inventory.resource(row));
        store.lives.remove(row.life);
        store.trash.put({
            ...row,
            uses: swapped(row.uses, on, now),
            place,
            removedAt: clock.now(),
            cameAt: store.running.now(),
            keepMs: KEPT_MS,
        });
        closeTenant(store, row.tenant);
    }
};

const swapped = (uses: LifeRow["uses"], from: string, to: LifeRow["life"]): LifeRow["uses"] =>
    Object.fromEntries(Object.entries(uses).map(([input, life]) => [input, life === from ? to : life]));
