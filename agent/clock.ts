/** Time as the agent knows it: given in, so that tests need no sleep. */
export interface Clock {
    /** Unix milliseconds. */
    now(): number;
    /** Calls once after so many milliseconds; the answer calls it off. */
    after(ms: number, act: () => void): () => void;
}

export const systemClock: Clock = {
    now: () => Date.now(),
    after: (ms, act) => {
        const timer = setTimeout(act, ms);
        return () => clearTimeout(timer);
    },
};

/** Resolves after so many milliseconds, or at once when the signal aborts; never rejects. */
export const pause = (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const end = () => {
            callOff();
            signal?.removeEventListener("abort", end);
            resolve();
        };
        const callOff = clock.after(ms, end);
        signal?.addEventListener("abort", end, { once: true });
    });
