import { describe, expect, it } from "vitest";
import { ago, columns, counted } from "./text.ts";

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
    it("keeps what a name or an error of somebody else does to a terminal out of a table, and in one line", () => {
        expect(
            columns([
                ["NAME", "WHY"],
                ["\u001b[2J\ra", "one\n  two\tthree\n"],
            ]),
        ).toBe("NAME          WHY\n\\x1b[2J\\x0da  one | two three");
    });
    it("counts", () => {
        expect([0, 1, 2].map((count) => counted(count, "resource"))).toEqual(["0 resources", "1 resource", "2 resources"]);
    });
    it("says how long ago in the largest unit", () => {
        expect([0, 1_500, 61_000, 7_200_000, 90_000_000].map((ms) => ago(0, ms))).toEqual(["now", "1s", "1m", "2h", "1d"]);
    });
});
