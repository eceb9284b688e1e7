import { execFile } from "node:child_process";
import * as path from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ErasureCodec } from "./erasure.ts";
import { galoisCodec } from "./galois-codec.ts";
import { wasmCodec } from "./wasm-codec.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");

const wasm = wasmCodec();
if (wasm === undefined) throw new Error("this runtime has no WebAssembly vectors");
const codecs: readonly ErasureCodec[] = [galoisCodec, wasm];

describe.each(codecs)("the codec $name", (codec) => {
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
                codec.encode(data, parity);
                const all = [...data.map((shard) => Buffer.concat([shard, Buffer.alloc(length - shard.length)])), ...parity];
                const there = all.map((shard, index) => (kept.includes(index) ? shard : undefined));
                const back = codec.reconstruct(data.length, m, there, length, [...all.keys()]);
                expect(back).toEqual(all);
            }),
        );
    });

    test("fewer than K shards give nothing", () => {
        expect(() => codec.reconstruct(2, 1, [Buffer.alloc(1), undefined, undefined], 1, [1])).toThrow(/1 shards are there and 2/);
    });

    test("a vector that ISA-L has made", () => {
        const data = [Buffer.from("zeroform"), Buffer.from("disperse"), Buffer.from("storage!")];
        const parity = [Buffer.alloc(8), Buffer.alloc(8)];
        codec.encode(data, parity);
        expect(parity.map((shard) => shard.toString("hex"))).toEqual(VECTOR);
    });
});

test("ISA-L, WebAssembly and the plain codec give the same bytes under Bun", async () => {
    const bun = path.join(ROOT, "node_modules/.bin/bun");
    const { stdout } = await promisify(execFile)(bun, [path.join(ROOT, "test/zstor/compare-codecs.ts")]);
    expect(stdout).toBe("isa-l wasm");
});

const VECTOR = ["9cedf66fff7bfc4d", "b055b38c17a3b037"];
