import { expect, it } from "vitest";
import { nearest } from "./nearest.ts";

it.each([
    ["sise", "size"],
    ["Pasword", "password"],
    ["onremove", "onRemove"],
    ["filesytem", "filesystem"],
    ["xyzzy", undefined],
    ["a".repeat(1_000), undefined],
])("%.20s is nearest to %s", (word, expected) => {
    expect(nearest(word, ["size", "password", "onRemove", "filesystem"])).toBe(expected);
});
