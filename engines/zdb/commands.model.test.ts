import fc from "fast-check";
import { describe, test } from "vitest";
import { modelStep } from "../../test/zdb/model/commands.ts";
import { ModelStory } from "../../test/zdb/model/story.ts";

/** More of them find rarer things: `npm run faults:zdb`. */
const RUNS = Number(process.env.ZEROFORM_MODEL_RUNS ?? 60);

describe.each(["user", "seq"] as const)("commands on a namespace of mode %s", (mode) => {
    test("are answered as a plain model of it says, whatever happens to the server between them", {
        timeout: Math.max(120_000, RUNS * 500),
    }, async () => {
        const terms = fc.record({ mode: fc.constant(mode), isTidied: fc.boolean(), isPrivate: fc.boolean() });
        const steps = fc.array(modelStep, { minLength: 1, maxLength: 80, size: "max" });
        await fc.assert(
            fc.asyncProperty(terms, steps, (terms, steps) => new ModelStory(terms).tell(steps)),
            { numRuns: RUNS, seed: Number(process.env.ZEROFORM_SEED ?? 1) },
        );
    });
});
