import { describe, expect, test } from "vitest";
import { PowerStory } from "../../test/zdb/power-story.ts";

/** More of them find rarer things: `npm run faults:zdb`. */
const SEEDS = Number(process.env.ZEROFORM_POWER_SEEDS ?? 8);
const FIRST = Number(process.env.ZEROFORM_SEED ?? 1);
const TIMEOUT = Math.max(60_000, SEEDS * 1000);

describe.each(["none", "interval", "commit"] as const)("durability %s", (durability) => {
    describe.each([false, true])("on a disk that also fails: %s", (isTroubled) => {
        const seeds = isTroubled ? Math.ceil(SEEDS / 2) : SEEDS;
        test.each(["user", "seq"] as const)("mode %s keeps its word", { timeout: TIMEOUT }, async (mode) => {
            for (let seed = FIRST; seed < FIRST + seeds; seed++) {
                const story = new PowerStory(seed, { durability, mode, isTroubled });
                try {
                    await story.tell();
                } catch (error) {
                    throw new Error(`seed ${seed}: ${String(error)}\n${story.told.slice(-Number(process.env.LINES ?? 60)).join("\n")}`, {
                        cause: error,
                    });
                }
            }
            expect(seeds).toBeGreaterThan(0);
        });
    });
});
