import { ZeroformError } from "../../protocol/errors.ts";
import { called } from "../reconciler/inventory.ts";
import type { LifeRow } from "../store/lives.ts";
import type { TenantRow } from "../store/tenants.ts";
import type { Call, Core } from "./core.ts";
import { awaitRemoval, removalOf, wantRemoved } from "./removal.ts";

/** How long a create waits for the end of a session that may still be making the same. */
export const MAKER_WAIT_MS = 10_000;

type Made = Pick<LifeRow, "session" | "operation" | "answered" | "confirmed" | "epoch" | "name">;

/** Whether the engine cannot know it: its maker has ended, or is the caller, whose create was not answered with an id and is over. */
const isLeftBehind = (core: Core, call: Call, made: Made): boolean => {
    if (made.session === call.session) return !made.answered && !core.awaited.has(made.operation);
    return core.sessions.hasEnded(made.session);
};

/** Answered to the caller's own session: the engine will hear of it in its own time. */
const isOwn = (call: Call, made: Made): boolean => made.session === call.session && made.answered;

/** The ones among them that crashed runs left behind. Waits for sessions that may still be at it; throws BUSY when they do not end. */
export const leftBehind = async <T extends Made>(core: Core, call: Call, candidates: readonly T[], what: string): Promise<readonly T[]> => {
    const unconfirmed = candidates.filter((made) => !made.confirmed && !isOwn(call, made));
    const others = unconfirmed.filter((made) => made.session !== call.session).map((made) => made.session);
    if (others.some((session) => !core.sessions.hasEnded(session))) {
        call.progress(`waiting for the end of another run that makes ${what}`);
        await core.sessions.ended(others, MAKER_WAIT_MS, call.signal);
        call.signal.throwIfAborted();
    }
    const left = unconfirmed.filter((made) => isLeftBehind(core, call, made));
    if (left.length === unconfirmed.length) return left;
    throw new ZeroformError({
        code: "BUSY",
        message: `another run of the program is making ${what} at this moment`,
        hint: "Let it end, or end it, and try again.",
        retryable: true,
    });
};

/** Removes the lives of a tenant and URN that crashed runs left behind, their data to the trash. */
export const clearLives = async (
    core: Core,
    call: Call,
    tenant: TenantRow,
    urn: string,
    { trashMs, until }: { readonly trashMs: number; readonly until: number },
): Promise<void> => {
    const same = core.store.lives.where((row) => row.tenant === tenant.tenant && row.urn === urn && row.desired === "present");
    const epoch = core.store.sessions.epoch(call.session);
    const newer = same.find((row) => row.epoch > epoch);
    if (newer)
        throw new ZeroformError({
            code: "SUPERSEDED",
            message: `a later run of the program has made ${called(newer)} since`,
            hint: "Nothing was done for this older run.",
        });
    const left = await leftBehind(core, call, same, same.map(called).at(0) ?? "it");
    const still = left.filter((row) => core.store.lives.get(row.life)?.confirmed === false);
    for (const row of still) {
        call.progress(`removing what a run that crashed left of ${called(row)}`);
        wantRemoved(core, row, removalOf(core, row, { keep: false, trashMs }), epoch);
    }
    for (const row of still) await awaitRemoval(core, row, { until, signal: call.signal, progress: call.progress });
};
