import { SeededRandom } from "./random.ts";

/** Stripes of few and of many chunks, and objects that share one. */
const SIZES = [0, 1, 700, 4096, 40_000, 131_072, 140_000, 600_000];
/** Of one data shard a stripe holds 512 KiB: more of them than are named at once, 16. */
export const SMALL_STRIPES = { dataShards: 1, parityShards: 2 };
const MANY_STRIPES_BYTES = [9_000_000, 10_500_000];
/** What large objects are cut from: making them anew would be most of the work. */
const LARGE = new SeededRandom(1).bytes(16_000_000);

/** What is put in a simulation: random or all one byte; now and then, when stripes are small, of many of them. */
export function someContent(random: SeededRandom, hasSmallStripes: boolean): Buffer {
    if (hasSmallStripes && random.chance(0.15)) {
        const size = random.pick(MANY_STRIPES_BYTES);
        const at = random.below(LARGE.length - size);
        return LARGE.subarray(at, at + size);
    }
    const size = random.pick(SIZES);
    return random.chance(0.5) ? random.bytes(size) : Buffer.alloc(size, random.below(256));
}
