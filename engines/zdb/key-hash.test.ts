import { expect, test } from "vitest";
import { hashOf } from "./key-hash.ts";

test("the hash depends on every bit of the key, on its length, and on what is secret", () => {
    const secret = { low: 1, high: 2 };
    const seen = new Set<number>();
    for (let length = 0; length <= 40; length++) {
        const key = Buffer.alloc(length);
        seen.add(hashOf(key, secret));
        for (let bit = 0; bit < length * 8; bit++) {
            key[bit >> 3] = 1 << (bit & 7);
            seen.add(hashOf(key, secret));
            key[bit >> 3] = 0;
        }
    }
    expect(seen.size).toBe(41 + (8 * 40 * 41) / 2);
    const key = Buffer.from("key");
    expect(new Set([hashOf(key, secret), hashOf(key, { low: 1, high: 3 }), hashOf(key, { low: 0, high: 2 })]).size).toBe(3);
});

test("stays what it is: checkpoints hold tags made of it", () => {
    const secret = { low: 0x0302_0100, high: 0x0706_0504 };
    expect(hashOf(Buffer.from(""), secret)).toMatchInlineSnapshot(`1477757078`);
    expect(hashOf(Buffer.from("a key of 24 bytes, long."), secret)).toMatchInlineSnapshot(`2083694352`);
});
