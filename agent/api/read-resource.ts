import { createHmac, timingSafeEqual } from "node:crypto";
import type { Digest, Params, ReadReport } from "../../protocol/api.ts";
import { asZeroformError } from "../../protocol/errors.ts";
import { secretText } from "../../protocol/secret-text.ts";
import type { Waiting } from "../reconciler/reconciler.ts";
import type { LifeRow } from "../store/lives.ts";
import { ownLife, tenantOf } from "./caller.ts";
import type { Call, Core } from "./core.ts";
import { wantRemoved } from "./removal.ts";
import { readReportOf } from "./report.ts";
import { readWithoutRecord, withoutRecord } from "./without-record.ts";

/** How long a read waits for the healing of what it found drifted. */
const HEALING_MS = 10_000;

const ABSENT: ReadReport = { found: false };

/** Looks at the resource now, and heals it when it has drifted. Absent only when it is known to be. */
export const readResource = async (core: Core, { caller, life, digests }: Params<"resource.read">, call: Call): Promise<ReadReport> => {
    const found = await withoutRecord(core, life);
    if (found && caller.machine === core.machine) return readWithoutRecord(life, found);
    if (!tenantOf(core, caller, [life]) && !ownLife(core, caller, life)) return ABSENT;
    if (ownLife(core, caller, life)?.desired !== "present") return ABSENT;
    const waiting: Waiting = { until: core.clock.uptime() + HEALING_MS, signal: call.signal, progress: call.progress };
    let blind: string | undefined;
    try {
        await core.reconciler.check(life);
    } catch (failure) {
        blind = `it cannot be looked at: ${asZeroformError(failure).message}`;
    }
    if (core.reconciler.isGone(life)) return closed(core, life, call, waiting);
    if (!core.reconciler.paused && blind === undefined) await core.reconciler.settled(life, waiting);
    if (core.reconciler.isGone(life)) return closed(core, life, call, waiting);

    const row = ownLife(core, caller, life);
    if (row?.desired !== "present") return ABSENT;
    const report = readReportOf(core, row, differing(row, digests));
    return blind === undefined || !report.found ? report : { ...report, state: "unfinished", reasons: [blind] };
};

/** Its data are gone: what is left of it is taken away, with what stands on it, so that the next `up` makes it anew. */
const closed = async (core: Core, life: LifeRow["life"], call: Call, waiting: Waiting): Promise<ReadReport> => {
    const { store, parts, reconciler } = core;
    const row = store.lives.get(life);
    if (!row) return ABSENT;
    // Kept data that stood on it are gone as well.
    const lost = parts.inventory.standingOn(life).filter((each) => each.desired === "kept" || reconciler.isGone(each.life));
    for (const each of [...lost.reverse(), row])
        wantRemoved(core, store.lives.get(each.life) ?? each, { keep: false, trashMs: 0 }, each.epoch);
    await reconciler.settled(life, waiting).catch(() => undefined);
    call.signal.throwIfAborted();
    return ABSENT;
};

/** Names of the secrets that are others than the caller's. */
const differing = (row: LifeRow, digests: Readonly<Record<string, Digest>>): readonly string[] =>
    Object.entries(digests).flatMap(([name, { key, hmac }]) => {
        const value = row.spec[name];
        if (value === undefined) return [name];
        const own = createHmac("sha256", Buffer.from(key, "base64")).update(secretText(value), "utf8").digest();
        const theirs = Buffer.from(hmac, "base64");
        return own.length === theirs.length && timingSafeEqual(own, theirs) ? [] : [name];
    });
