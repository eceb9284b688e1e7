import { describe, expect, it } from "vitest";
import { ago, columns } from "./text.ts";

describe("text", () => {
    it("aligns columns without trailing blanks", () => {
        expect(
            columns(
                [
                    ["A", "LONG", ""],
                    ["bbb", "c", ""],
                ],
                "  ",
            ),
        ).toBe("  A    LONG\n  bbb  c");
    });
    it("says how long ago in the largest unit", () => {
        expect([0, 1_500, 61_000, 7_200_000, 90_000_000].map((ms) => ago(0, ms))).toEqual(["now", "1s", "1m", "2h", "1d"]);
    });
});
