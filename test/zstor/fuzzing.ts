/** `npm run fuzz:zstor` has more inputs; `ZEROFORM_SEED` repeats a run. */
const RUNS = Number(process.env.ZEROFORM_ZSTOR_FUZZ ?? 300);
export const PATIENCE_MS = Math.max(60_000, RUNS * 20);
/** What all inputs of a decoder together may leave behind, and what it may hold for one that claims to be long. */
export const MAX_GROWTH_BYTES = 128 * 2 ** 20;

export const runs = { seed: Number(process.env.ZEROFORM_SEED ?? 1), numRuns: RUNS };
/** For inputs that each need a connection. */
export const fewerRuns = { ...runs, numRuns: Math.ceil(RUNS / 10) };

/** Has it done, and nothing but that refusal may come out of it. */
export function refusing<T>(refusal: new (...words: never[]) => Error, work: () => T): T | undefined {
    try {
        return work();
    } catch (error) {
        if (error instanceof refusal) return undefined;
        throw error;
    }
}
