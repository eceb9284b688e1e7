/** A random sequence that a seed gives again: xorshift128, seeded by splitmix. */
export class SeededRandom {
    private a: number;
    private b: number;
    private c: number;
    private d: number;

    constructor(seed: number) {
        let value = seed >>> 0;
        const next = () => {
            value = (value + 0x9e3779b9) >>> 0;
            let mixed = value;
            mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
            mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
            return (mixed ^ (mixed >>> 16)) >>> 0;
        };
        this.a = next();
        this.b = next();
        this.c = next();
        this.d = next();
    }

    u32(): number {
        const { a, d } = this;
        const t = (a ^ (a << 11)) >>> 0;
        this.a = this.b;
        this.b = this.c;
        this.c = d;
        this.d = (d ^ (d >>> 19) ^ t ^ (t >>> 8)) >>> 0;
        return this.d;
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
        // Made in whole words: these are most of what a simulation draws.
        const bytes = Buffer.alloc((length + 3) & ~3);
        for (let at = 0; at < length; at += 4) bytes.writeUInt32LE(this.u32(), at);
        return bytes.subarray(0, length);
    }
}
