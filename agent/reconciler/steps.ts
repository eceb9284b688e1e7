import { ZeroformError } from "../../protocol/errors.ts";
import { primitiveOf } from "../../schema/index.ts";
import type { AnyPrimitive } from "../../schema/primitive.ts";
import type { Work } from "../os/os.ts";
import type { Observation } from "../primitives/driver.ts";
import type { LifeRow } from "../store/lives.ts";
import { closeTenant } from "./close-tenant.ts";
import { called } from "./inventory.ts";
import type { Machinery } from "./machinery.ts";

/**
 * Makes a resource what its spec says and looks at it. Throws when that fails; trying again may help where the error says so.
 * `gone`: it was ready once and nothing of its data is there, so nothing was done.
 */
export const makeReal = async (parts: Machinery, row: LifeRow, work: Work): Promise<Observation<AnyPrimitive> | "gone"> => {
    const { drivers, inventory, observer } = parts;
    const driver = drivers[row.kind];
    const resource = inventory.resource(row);
    const look = async () => (await observer.look(row.kind, row.life))(resource);
    const isAbsent = async () => (await look()).state === "absent";
    if (row.made && primitiveOf(row.kind).bearsData && (await isAbsent()) && (await isAbsent())) return "gone";

    await ensurePackages(parts, row, work);
    await driver.apply(resource, parts.context(work));
    return look();
};

const ensurePackages = ({ drivers, packages, store }: Machinery, { kind, spec, tenant }: LifeRow, work: Work): Promise<void> =>
    packages.ensure(drivers[kind].packages(spec), store.tenants.get(tenant)?.settings.installPackages ?? false, work);

/** Takes a resource away, its data to where its removal says, and closes its row. */
export const takeAway = async (parts: Machinery, row: LifeRow, work: Work): Promise<void> => {
    const { store, drivers, inventory, clock, trash, tell } = parts;
    const { trashMs, keep, ...wish } = row.removal ?? { place: undefined, trashMs: 0, keep: false };
    const resource = inventory.resource(row);
    const context = parts.context(work);
    const { trashPlaceNow } = drivers[row.kind];
    const elsewhere = wish.place !== undefined && trashPlaceNow ? await trashPlaceNow(resource, context) : undefined;
    const place = elsewhere ?? wish.place;
    if (elsewhere !== undefined) store.lives.change(row.life, { removal: { trashMs, keep, place: elsewhere } });
    const remove = () => drivers[row.kind].remove(resource, place, context);
    await remove().catch(async (failure: unknown) => {
        if (failure instanceof ZeroformError) throw failure;
        // A program that fails may be one that somebody has taken off the machine.
        await ensurePackages(parts, row, work);
        await remove();
    });
    const isInTrash = place !== undefined && (await drivers[row.kind].trashedBytes({ resource, place }, context)) > 0;

    store.soon(() => {
        const now = clock.now();
        store.lives.remove(row.life);
        if (keep) store.lives.put({ ...row, desired: "kept", state: "kept", since: now, reasons: [], work: "none" });
        else if (!isInTrash) trash.forgetOn(row.life, `it lay on ${called(row)}, whose data are gone`);
        else store.trash.put({ ...row, place, removedAt: now, cameAt: store.running.now(), keepMs: trashMs });
        tell("removed", described(isInTrash, keep), row);
        closeTenant(store, row.tenant);
    });
    // What it stood on may go now, and with it the way to what is written here.
    await store.durable();
    if (isInTrash && trashMs === 0) await trash.purgeDue(work);
};

const described = (isInTrash: boolean, keep: boolean): string => {
    if (keep) return "its data stay on the node";
    return isInTrash ? "its data are in the trash" : "";
};
