import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffMs } from "./backoff.ts";

describe("backoff", () => {
    it("doubles up to a minute", () => {
        expect([1, 2, 3, 4, 8, 50].map((failures) => backoffMs(failures, () => 0))).toEqual([500, 1_000, 2_000, 4_000, 60_000, 60_000]);
    });

    it("is never longer than the full wait, never shorter than half of it", () => {
        fc.assert(
            fc.property(
                fc.integer({ min: 1, max: 10_000 }),
                fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
                (failures, chance) => {
                    const [full, real] = [backoffMs(failures, () => 0), backoffMs(failures, () => chance)];
                    expect(real).toBeLessThanOrEqual(full);
                    expect(real).toBeGreaterThanOrEqual(full / 2 - 1);
                },
            ),
        );
    });
});
