import fc from "fast-check";
import { expect, test } from "vitest";
import { bearingOf, type Standing } from "./bearing.ts";

const standing = (dataShards: number, groups: readonly (string | undefined)[], empty = 0): Standing => ({
    dataShards,
    places: [
        ...groups.map((group, id) => (group === undefined ? undefined : { id, group, disk: `${id}`, weight: 1, freeBytes: 0 })),
        ...Array.from({ length: empty }, () => undefined),
    ],
    implicit: new Set(Array.from({ length: empty }, (_, index) => groups.length + index)),
});

test("a store bears what its weakest stripe does", () => {
    expect(bearingOf([])).toBeUndefined();
    const even = standing(4, ["a", "a", "b", "b", "c", "c"]);
    expect(bearingOf([even])).toEqual({ backends: 2, groups: 1 });
    expect(bearingOf([even, standing(4, ["a", "a", "a", "b", "b", "c"])])).toEqual({ backends: 2, groups: 0 });
    expect(bearingOf([even, standing(4, ["a", "a", "b", "b", undefined, undefined])])).toEqual({ backends: 0, groups: 0 });
    expect(bearingOf([even, standing(4, ["a", "b", "b"])])).toEqual({ backends: -1, groups: -1 });
    // Three data shards are empty: any two of the others may go.
    expect(bearingOf([standing(4, ["a", "b", "c"], 3)])).toEqual({ backends: 2, groups: 2 });
});

test("after any loss that is borne K shards are left, and after some loss of one more they are not", () => {
    const group = fc.constantFrom("a", "b", "c", "d");
    fc.assert(
        fc.property(fc.array(group, { minLength: 2, maxLength: 8 }), fc.nat(6), (groups, parity) => {
            const dataShards = Math.max(1, groups.length - parity);
            const bearing = bearingOf([standing(dataShards, groups)]);
            const names = [...new Set(groups)];
            const leftWithout = (lost: readonly string[]) => groups.filter((each) => !lost.includes(each)).length;
            const losses = Array.from({ length: 2 ** names.length }, (_, bits) => names.filter((_, index) => bits & (1 << index)));
            for (const lost of losses.filter(({ length }) => length <= (bearing?.groups ?? 0)))
                expect(leftWithout(lost)).toBeGreaterThanOrEqual(dataShards);
            const more = losses.filter(({ length }) => length === (bearing?.groups ?? 0) + 1);
            if (more.length > 0) expect(more.some((lost) => leftWithout(lost) < dataShards)).toBe(true);
        }),
        { seed: Number(process.env.ZEROFORM_SEED ?? 1) },
    );
});
