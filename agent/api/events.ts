import type { Params, Result } from "../../protocol/api.ts";
import type { ServerCall } from "../../protocol/channel.ts";
import type { Core } from "./core.ts";

const USUAL = 50;
const MOST = 1_000;
/** Whoever follows asks again; a wait without end would outlive a peer that nobody knows to be gone. */
const LONGEST_WAIT_MS = 60_000;

/** Events in the order in which they happened. */
export const eventsOf = async (
    core: Core,
    { about, latest = USUAL, after, waitMs = 0 }: Params<"events">,
    { signal }: Pick<ServerCall, "signal">,
): Promise<Result<"events">> => {
    const { events } = core.store;
    // A number that is answered is never given again.
    const told = async (found: Result<"events">) => {
        await core.store.durable();
        return found;
    };
    if (after === undefined) return told(events.latest(Math.min(latest, MOST), about).toReversed());
    const until = core.clock.uptime() + Math.min(waitMs, LONGEST_WAIT_MS);
    for (;;) {
        const found = events.after(after, MOST, about);
        const left = until - core.clock.uptime();
        if (found.length > 0 || left <= 0 || signal.aborted) return told(found);
        await added(core, left, signal);
    }
};

/** Resolves when an event was added, or it is no use to wait any longer. */
const added = ({ store, clock }: Core, waitMs: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
        const end = () => {
            unlisten();
            callOff();
            signal.removeEventListener("abort", end);
            resolve();
        };
        const unlisten = store.events.listen(end);
        const callOff = clock.after(waitMs, end);
        signal.addEventListener("abort", end, { once: true });
    });
