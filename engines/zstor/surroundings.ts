import { randomBytes } from "node:crypto";

/** Time as the engine sees it. A simulation gives its own. */
export interface Clock {
    /** Unix milliseconds. May be set by somebody, so never for measuring. */
    nowMs(): number;
    /** Milliseconds, with fractions, since some moment; never set back: for measuring. */
    steadyMs(): number;
    /** Calls `run` once, later; the result cancels that. */
    after(ms: number, run: () => void): () => void;
}

/** All that the engine has of the world besides its backends: nothing of it calls clock, timers or randomness elsewhere. */
export interface Surroundings {
    readonly clock: Clock;
    /** Unpredictable bytes: keys, nonces, tags, jitter. */
    random(length: number): Buffer;
    /** One sentence for the operator; never a secret. */
    log(line: string): void;
}

export const systemClock: Clock = {
    nowMs: () => Date.now(),
    steadyMs: () => performance.now(),
    after(ms, run) {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
    },
};

export function systemSurroundings(log: (line: string) => void): Surroundings {
    return { clock: systemClock, random: (length) => randomBytes(length), log };
}

/** Settles after that time, or at once when the signal aborts. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const end = () => {
            cancel();
            signal?.removeEventListener("abort", end);
            resolve();
        };
        const cancel = clock.after(ms, end);
        signal?.addEventListener("abort", end, { once: true });
    });
}

/** Between half and the whole of `ms`, so that many who wait for the same thing do not come together. */
export function jittered(surroundings: Surroundings, ms: number): number {
    return ms / 2 + (ms / 2) * (surroundings.random(4).readUInt32LE() / 0x1_0000_0000);
}
