import { describe, expect, test } from "vitest";
import { IdIndex } from "./id-index.ts";
import type { Place } from "./place.ts";

const placeOf = (number: number): Place => ({ segment: 1, offset: number, keyLength: 8, length: number % 100 });

function keyOf(id: bigint | number): Buffer {
    const key = Buffer.alloc(8);
    key.writeBigUInt64LE(BigInt(id));
    return key;
}

const find = (index: IdIndex, id: bigint | number): Place | undefined => index.find(keyOf(id), () => true);

describe("the index of sequential mode", () => {
    test("tells ids apart that are equal modulo 2^32, or beyond what a number holds", () => {
        const index = new IdIndex();
        const ids = [0, 1, 2 ** 32, 2 ** 32 + 1, 2 ** 52, 2 ** 53 - 1];
        for (const [place, id] of ids.entries()) index.add(keyOf(id), placeOf(place));
        for (const [place, id] of ids.entries()) expect(find(index, id)).toEqual(placeOf(place));
        for (const id of [2n ** 33n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 64n - 1n]) expect(find(index, id)).toBeUndefined();
        expect(index.size).toBe(ids.length);
    });

    test("ids that were burnt or deleted are absent, others stay", () => {
        const index = new IdIndex();
        for (let id = 0; id < 20_000; id += 2) index.add(keyOf(id), placeOf(id));
        for (let id = 0; id < 20_000; id += 4) expect(index.remove(keyOf(id), placeOf(id))).toBe(true);
        for (let id = 0; id < 20_000; id++) expect(find(index, id)).toEqual(id % 4 === 2 ? placeOf(id) : undefined);
        expect(index.remove(keyOf(2), placeOf(3))).toBe(false);
        expect(index.remove(keyOf(4), placeOf(4))).toBe(false);
        expect(index.size).toBe(5000);
    });

    test("keys that are no ids are absent", () => {
        const index = new IdIndex();
        index.add(keyOf(0), placeOf(0));
        for (const key of [Buffer.alloc(0), Buffer.alloc(4), Buffer.alloc(7), Buffer.alloc(9)]) {
            expect(index.find(key, () => true)).toBeUndefined();
        }
    });
});
