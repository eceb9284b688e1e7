import { describe, expect, test } from "vitest";
import { PAGE_SLOTS } from "./index-page.ts";
import type { KeyIndex } from "./key-index.ts";
import type { Place } from "./place.ts";
import { UserIndex } from "./user-index.ts";

const HASH_KEY = { low: 0x1234_5678, high: 0x9abc_def0 };

function placeOf(number: number, segment = 1): Place {
    return { segment, offset: number * 64, keyLength: 8, length: number % 1000 };
}

function keyOf(number: number): Buffer {
    return Buffer.from(String(number).padStart(8, "0"));
}

/** What a look-up that compares keys in the log would find. */
function findAt(index: KeyIndex, key: Uint8Array, place: Place): Place | undefined {
    return index.find(key, ({ segment, offset }) => segment === place.segment && offset === place.offset);
}

describe("the index of user mode", () => {
    test("finds every key while its pages grow and split, and after half of them are gone", () => {
        const index = new UserIndex(HASH_KEY);
        const keys = 12 * PAGE_SLOTS;
        for (let number = 0; number < keys; number++) {
            index.add(keyOf(number), placeOf(number));
            if (number % 1009 === 0) for (let old = 0; old <= number; old += 997) expect(index.has(keyOf(old), placeOf(old))).toBe(true);
        }
        expect(index.size).toBe(keys);
        for (let number = 0; number < keys; number++) expect(findAt(index, keyOf(number), placeOf(number))).toEqual(placeOf(number));

        for (let number = 0; number < keys; number += 2) expect(index.remove(keyOf(number), placeOf(number))).toBe(true);
        expect(index.size).toBe(keys / 2);
        for (let number = 0; number < keys; number++) {
            expect(findAt(index, keyOf(number), placeOf(number)) !== undefined, `key ${number}`).toBe(number % 2 === 1);
        }
    });

    test("takes a key for what its bytes are, whatever they were when it was looked for", () => {
        const index = new UserIndex(HASH_KEY);
        const passing = keyOf(1);
        expect(findAt(index, passing, placeOf(1))).toBeUndefined();
        keyOf(2).copy(passing);
        index.add(passing, placeOf(2));
        expect(index.has(keyOf(2), placeOf(2))).toBe(true);

        const lasting = keyOf(3);
        findAt(index, lasting, placeOf(3));
        index.keeps(lasting);
        index.add(keyOf(4), placeOf(4));
        index.add(lasting, placeOf(3));
        for (const number of [2, 3, 4]) expect(findAt(index, keyOf(number), placeOf(number)), `key ${number}`).toEqual(placeOf(number));
    });

    test("tells of one of many keys by asking about few places", () => {
        const index = new UserIndex(HASH_KEY);
        for (let number = 0; number < 20_000; number++) index.add(keyOf(number), placeOf(number));
        let asked = 0;
        for (let number = 0; number < 20_000; number++) {
            index.find(keyOf(number + 50_000), () => {
                asked++;
                return false;
            });
        }
        // 20000 times 20000 pairs, one in 2^32 looks alike.
        expect(asked).toBeLessThan(5);
    });

    test("keeps apart keys that look alike to it", () => {
        const index = new UserIndex(HASH_KEY);
        const key = keyOf(1);
        const places = [placeOf(1), placeOf(2), placeOf(3)];
        for (const place of places) index.add(key, place);
        for (const place of places) expect(findAt(index, key, place)).toEqual(place);
        expect(index.remove(key, placeOf(2))).toBe(true);
        expect(findAt(index, key, placeOf(2))).toBeUndefined();
        expect(findAt(index, key, placeOf(3))).toEqual(placeOf(3));
    });

    test("moves and removes only what is at the place named", () => {
        const index = new UserIndex(HASH_KEY);
        index.add(keyOf(1), placeOf(1));
        expect(index.move(keyOf(1), placeOf(1, 2), placeOf(9))).toBe(false);
        expect(index.remove(keyOf(1), placeOf(2))).toBe(false);
        expect(index.move(keyOf(1), placeOf(1), placeOf(9, 2))).toBe(true);
        expect(index.has(keyOf(1), placeOf(1))).toBe(false);
        expect(index.has(keyOf(1), placeOf(9, 2))).toBe(true);
        expect(index.size).toBe(1);
    });

    test("holds the longest payload and key", () => {
        const index = new UserIndex(HASH_KEY);
        const longest = { segment: 0x7fff_ffff, offset: 0xffff_ffff, keyLength: 255, length: 8 * 1024 * 1024 + 64 };
        index.add(Buffer.alloc(255, 255), longest);
        expect(index.find(Buffer.alloc(255, 255), () => true)).toEqual(longest);
        expect(index.find(Buffer.alloc(254, 255), () => true)).toBeUndefined();
    });
});
