/** A random sequence that a seed gives again: xorshift128, seeded by splitmix. */
export class SeededRandom {
    private readonly state = new Uint32Array(4);

    constructor(seed: number) {
        let value = seed >>> 0;
        for (let index = 0; index < 4; index++) {
            value = (value + 0x9e3779b9) >>> 0;
            let mixed = value;
            mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
            mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
            this.state[index] = (mixed ^ (mixed >>> 16)) >>> 0;
        }
    }

    u32(): number {
        const [a = 0, b = 0, c = 0, d = 0] = this.state;
        const t = (a ^ (a << 11)) >>> 0;
        this.state.set([b, c, d, (d ^ (d >>> 19) ^ t ^ (t >>> 8)) >>> 0]);
        return this.state[3] ?? 0;
    }

    /** 0 to below 1. */
    fraction(): number {
        return this.u32() / 0x1_0000_0000;
    }

    /** Whole, from 0 to below the limit. */
    below(limit: number): number {
        return Math.floor(this.fraction() * limit);
    }

    chance(probability: number): boolean {
        return this.fraction() < probability;
    }

    pick<T>(items: readonly T[]): T {
        const item = items[this.below(items.length)];
        if (item === undefined) throw new RangeError("nothing to pick from");
        return item;
    }

    bytes(length: number): Buffer {
        const bytes = Buffer.alloc(length);
        for (let at = 0; at < length; at += 4) {
            const value = this.u32();
            for (let index = 0; index < 4 && at + index < length; index++) bytes[at + index] = value >>> (8 * index);
        }
        return bytes;
    }
}
