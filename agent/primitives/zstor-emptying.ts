import { ZeroformError } from "../../protocol/errors.ts";
import type { Context } from "./driver.ts";
import { frontEndOf, type ZStor } from "./zstor-places.ts";
import { type Answered, parseStatus } from "./zstor-status.ts";

/** How long emptying that does not go on is waited for; the front end goes on trying. */
const STUCK_MS = 30_000;
const POLL_MS = 500;

/** What is still on backends that were taken out and answer; undefined when nothing is. */
export const emptyingInWords = ({ backends, layout, stopped }: Answered): string | undefined => {
    if (stopped !== undefined) return undefined;
    const left = backends.map(({ draining, downSinceMs, stripes = 0 }) => (draining && downSinceMs === undefined ? stripes : 0));
    const most = Math.max(0, ...left);
    if (most === 0) return undefined;
    return `${most} stripes still have shards on backends that were taken out${layout.holds ? "" : `: ${layout.why}`}`;
};

/** Whoever took backends out removes them next: not before all that is on them is elsewhere. What cannot go on is said by whoever observes. */
export const untilEmptied = async (resource: ZStor, { os, progress, signal }: Context): Promise<void> => {
    const { socket } = frontEndOf(resource);
    let said: string | undefined;
    let stuckSince = Date.now();
    for (;;) {
        signal.throwIfAborted();
        let words: string | undefined;
        try {
            words = emptyingInWords(parseStatus(await os.frontEnds.ask(socket, ["status", "explain"])));
        } catch (failure) {
            if (!(failure instanceof ZeroformError)) throw failure;
        }
        if (words === undefined) return;
        if (words !== said) {
            // What moves is data: the deadline of whoever waits does not run meanwhile.
            progress(words, said === undefined ? undefined : true);
            stuckSince = Date.now();
        }
        said = words;
        if (Date.now() - stuckSince > STUCK_MS) return;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
};
