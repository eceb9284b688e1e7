/** Time as the agent knows it: given in, so that tests need no sleep. */
export interface Clock {
    /** Unix milliseconds, to be shown to people: it jumps when somebody sets it. */
    now(): number;
    /** Milliseconds since the machine booted: whatever lasts is measured by it, since nobody can set it. */
    uptime(): number;
    /** Which boot that was; undefined: it cannot be told from another one. */
    readonly boot: string | undefined;
    /** Calls once after so many milliseconds; the answer calls it off. */
    after(ms: number, act: () => void): () => void;
}

/** The moment of a boot in which this process started. */
export interface Boot {
    readonly id: string | undefined;
    readonly uptimeMs: number;
}

export const clockOf = ({ id, uptimeMs }: Boot): Clock => ({
    now: () => Date.now(),
    uptime: () => uptimeMs + performance.now(),
    boot: id,
    after: (ms, act) => {
        const timer = setTimeout(act, ms);
        return () => clearTimeout(timer);
    },
});

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
