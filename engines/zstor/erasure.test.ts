import fc from "fast-check";
import { expect, test } from "vitest";
import { galoisCodec } from "./galois-codec.ts";

test("any K of the shards give all others, also when data shards are shorter than the parity", () => {
    const shape = fc
        .tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 60 }))
        .chain(([k, m, length]) =>
            fc.record({
                m: fc.constant(m),
                length: fc.constant(length),
                data: fc.array(fc.uint8Array({ maxLength: length }), { minLength: k, maxLength: k }),
                kept: fc.shuffledSubarray(
                    Array.from({ length: k + m }, (_, index) => index),
                    { minLength: k, maxLength: k },
                ),
            }),
        );
    fc.assert(
        fc.property(shape, ({ data, m, length, kept }) => {
            const parity = Array.from({ length: m }, () => Buffer.alloc(length));
            galoisCodec.encode(data, parity);
            const all = [...data.map((shard) => Buffer.concat([shard, Buffer.alloc(length - shard.length)])), ...parity];
            const there = all.map((shard, index) => (kept.includes(index) ? shard : undefined));
            const back = galoisCodec.reconstruct(data.length, m, there, length, [...all.keys()]);
            expect(back).toEqual(all);
        }),
    );
});

test("fewer than K shards give nothing", () => {
    expect(() => galoisCodec.reconstruct(2, 1, [Buffer.alloc(1), undefined, undefined], 1, [1])).toThrow(/1 shards are there and 2/);
});

test("a vector that ISA-L has made", () => {
    const data = [Buffer.from("zeroform"), Buffer.from("disperse"), Buffer.from("storage!")];
    const parity = [Buffer.alloc(8), Buffer.alloc(8)];
    galoisCodec.encode(data, parity);
    expect(parity.map((shard) => shard.toString("hex"))).toEqual(VECTOR);
});

const VECTOR = ["9cedf66fff7bfc4d", "b055b38c17a3b037"];
