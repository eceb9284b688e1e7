import type { Params, Result, TrashStatus } from "../../protocol/api.ts";
import { asZeroformError, ZeroformError } from "../../protocol/errors.ts";
import { mintLife } from "../../protocol/ids.ts";
import { called } from "../reconciler/inventory.ts";
import { KEPT_MS } from "../reconciler/trash-times.ts";
import type { LifeRow } from "../store/lives.ts";
import type { Described } from "../store/rows.ts";
import { epochFor } from "./caller.ts";
import type { Call, Core } from "./core.ts";
import { outOfReach } from "./delete-resource.ts";
import { awaitRemoval, removalOf, wantRemoved } from "./removal.ts";

/** How long a restore is waited for: it moves data on one file system and starts what stands on them again. */
const RESTORE_MS = 5 * 60_000;

export const listTrash = (core: Core): Promise<readonly TrashStatus[]> => {
    const context = core.parts.context({ signal: new AbortController().signal, progress: () => undefined });
    return Promise.all(
        core.store.trash.all().map(async (row) => ({
            life: row.life,
            kind: row.kind,
            urn: row.urn,
            tenant: row.tenant,
            name: row.name,
            ...(await core.parts.drivers[row.kind].trashedBytes(core.parts.inventory.trashed(row), context).then(
                (bytes) => ({ bytes }),
                (failure: unknown) => ({ bytes: 0, unreachable: asZeroformError(failure).message }),
            )),
            removedAt: row.removedAt,
            purgeAt: core.clock.now() + row.cameAt + row.keepMs - core.store.running.now(),
        })),
    );
};

/** Puts data of the trash in the place of a live resource's own. */
export const restoreTrash = async (core: Core, { life, into }: Params<"trash.restore">, call: Call): Promise<Result<"trash.restore">> => {
    const { store, parts, reconciler, clock } = core;
    const kept = store.lives.get(life);
    const from = kept?.desired === "kept" ? kept : store.trash.get(life);
    if (!from)
        throw new ZeroformError({
            code: "LIFE_UNKNOWN",
            message: `there is no ${life} in the trash of this node, and no data of it were kept`,
            hint: "`zeroform trash list` and `zeroform status` show what there is.",
        });
    const target = targetOf(core, from, into);
    if (from === kept) await discardKept(core, kept, call);
    await core.lock.run(target.life, async () => {
        const row = store.lives.get(target.life);
        if (row?.desired !== "present" || row.restore)
            throw new ZeroformError({
                code: "BUSY",
                message: `${called(target)} is being removed or restored at this moment`,
                hint: "`zeroform status` shows when that is done; run the same again then.",
                retryable: true,
            });
        const own = mintLife();
        const place = parts.drivers[row.kind].trashPlace({ ...parts.inventory.resource(row), life: own });
        if (place === undefined) throw new ZeroformError({ code: "INVALID", message: `${called(row)} has no data to restore` });
        store.lives.put({
            ...row,
            epoch: epochFor(core, call, row),
            restore: { from: life, own, place },
            work: "restore",
            state: "unfinished",
            since: clock.now(),
            reasons: ["its data are being restored from the trash"],
        });
    });
    reconciler.desiredChanged(target.life);

    const outcome = await reconciler.settled(target.life, {
        until: clock.uptime() + RESTORE_MS,
        signal: call.signal,
        progress: call.progress,
    });
    const named = { life: target.life, kind: target.kind, urn: target.urn };
    const failed = outcome.state === "unfinished" ? outcome.failure : undefined;
    // Purged before it could be put back: there is nothing in the trash then either.
    if (store.trash.get(life) === undefined && failed?.code !== "LIFE_UNKNOWN") return { into: named };
    if (failed) throw failed.with({ action: "restore", kind: target.kind, name: target.name });
    throw new ZeroformError({
        code: "TIMEOUT",
        message: `the data of ${called(from)} are not back yet`,
        hint: "The agent goes on; `zeroform status` shows when it is done.",
    });
};

/** Kept data go by the way of the trash, where they stay for good if they cannot be put back. */
const discardKept = async (core: Core, row: LifeRow, call: Call): Promise<void> => {
    if (core.parts.inventory.liesOnKept(row)) throw outOfReach(core, row);
    await core.lock.run(row.life, async () =>
        wantRemoved(core, row, removalOf(core, row, { keep: false, trashMs: KEPT_MS }), epochFor(core, call, row)),
    );
    await awaitRemoval(core, row, { until: core.clock.uptime() + RESTORE_MS, signal: call.signal, progress: call.progress });
    if (core.store.trash.get(row.life)) return;
    throw new ZeroformError({ code: "LIFE_UNKNOWN", message: `the data of ${called(row)} that were kept are gone from the node` });
};

/** The life that is named, or the live one of the same Node and name. */
const targetOf = ({ store }: Core, from: Described, into: Params<"trash.restore">["into"]): LifeRow => {
    const same = (row: LifeRow) => row.tenant === from.tenant && row.urn === from.urn && row.kind === from.kind;
    const found = into ? store.lives.get(into) : store.lives.where((row) => row.desired === "present" && same(row)).at(-1);
    if (found?.desired !== "present")
        throw new ZeroformError({
            code: "LIFE_UNKNOWN",
            message: into
                ? `there is no live resource ${into} on this node`
                : `there is no live ${called(from)} that its data could be put into`,
            hint: "Run `pulumi up` first, so that the resource exists again, or name another one of the same kind.",
        });
    if (found.kind === from.kind) return found;
    throw new ZeroformError({
        code: "INVALID",
        message: `data of ${called(from)} cannot be put into ${called(found)}`,
        hint: `Name a ${from.kind} with --into.`,
    });
};
