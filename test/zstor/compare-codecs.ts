import { randomBytes, randomInt } from "node:crypto";
import type { ErasureCodec } from "../../engines/zstor/erasure.ts";
import { galoisCodec } from "../../engines/zstor/galois-codec.ts";
import { isalCodec } from "../../engines/zstor/seam-isal.ts";
import { wasmCodec } from "../../engines/zstor/wasm-codec.ts";

/** Around the sizes of vectors and slices, where loops end. */
const LENGTHS = [1, 15, 31, 32, 33, 63, 64, 65, 4095, 16_383, 16_384, 16_385, 40_000, 131_088];
const ROUNDS = 60;

/** Run by Bun, which alone reaches ISA-L: every codec that works here against the plain one, in shapes of all kinds. Prints their names. */
const others = [isalCodec(), wasmCodec()].filter((codec) => codec !== undefined);
for (let round = 0; round < ROUNDS; round++) {
    const [dataShards, parityShards] = [randomInt(1, 17), randomInt(1, 9)];
    const length = LENGTHS[round % LENGTHS.length] ?? 1;
    const data = Array.from({ length: dataShards }, () => randomBytes(randomInt(0, length + 1)));
    const parityOf = (codec: ErasureCodec) => {
        const parity = Array.from({ length: parityShards }, () => randomBytes(length));
        codec.encode(data, parity);
        return parity;
    };
    const parity = parityOf(galoisCodec);
    const whole = [...data.map((shard) => Buffer.concat([shard, Buffer.alloc(length - shard.length)])), ...parity];
    const lost = new Set(Array.from({ length: parityShards }, () => randomInt(whole.length)));
    const there = whole.map((shard, index) => (lost.has(index) ? undefined : shard));
    for (const codec of others) {
        const wrong = (what: string) => new Error(`${codec.name}: ${what} differs at ${dataShards}+${parityShards}, ${length} bytes`);
        if (!Buffer.concat(parityOf(codec)).equals(Buffer.concat(parity))) throw wrong("the parity");
        const back = codec.reconstruct(dataShards, parityShards, there, length, [...lost]);
        if ([...lost].some((shard, index) => !back[index]?.equals(whole[shard] ?? Buffer.of()))) throw wrong("what is reconstructed");
    }
}
process.stdout.write(others.map(({ name }) => name).join(" "));
