import { expect, test } from "vitest";
import { simulate } from "../../test/zstor/simulation.ts";

/** `ZEROFORM_SEED` begins elsewhere, `ZEROFORM_ZSTOR_SEEDS` runs more of them. */
const FIRST = Number(process.env.ZEROFORM_SEED ?? 1);
const COUNT = Number(process.env.ZEROFORM_ZSTOR_SEEDS ?? 15);

test("whatever happens within the promise, what was acknowledged comes back byte for byte", {
    timeout: 600_000 * Math.max(1, COUNT / 1000),
}, async () => {
    let acknowledged = 0;
    for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
        try {
            acknowledged += (await simulate(seed)).acknowledged;
        } catch (error) {
            throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
        }
    }
    expect(acknowledged).toBeGreaterThan(COUNT);
});
