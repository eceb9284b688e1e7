import type { Progress } from "./api.ts";

/** Whoever waits less long than this needs no word, and nobody reads more of them. */
const EVERY_MS = 100;

/** The words of one call on their way to who waits for it. */
export interface PacedProgress {
    say(doing: string, moved?: true): void;
    /** The call is over: what has not been sent is nobody's business any more. */
    end(): void;
}

/**
 * Sends the latest word after a while, and then in intervals: a word costs a message through SSH and a line of the engine, and most calls are
 * answered before. That data have moved is kept for the next one.
 */
export const pacedProgress = (send: (progress: Progress) => void, everyMs = EVERY_MS): PacedProgress => {
    let latest: Progress | undefined;
    let timer: NodeJS.Timeout | undefined;
    let isOver = false;
    return {
        say(doing, moved) {
            // What works on for others may still tell whoever has stopped waiting.
            if (isOver) return;
            latest = { doing, ...((moved ?? latest?.moved) && { moved: true }) };
            timer ??= setTimeout(() => {
                timer = undefined;
                const word = latest;
                latest = undefined;
                if (word) send(word);
            }, everyMs);
        },
        end() {
            isOver = true;
            clearTimeout(timer);
        },
    };
};
