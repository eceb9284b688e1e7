/** A small repeatable generator (mulberry32): a printed seed is enough to see the same run again. */
export class Random {
    #state: number;

    constructor(seed: number) {
        this.#state = seed | 0;
    }

    /** From 0 up to 1. */
    fraction(): number {
        this.#state = (this.#state + 0x6d2b79f5) | 0;
        const state = this.#state;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    }

    /** A whole number from `least` to `most`, both included. */
    whole(least: number, most: number): number {
        return least + Math.floor(this.fraction() * (most - least + 1));
    }

    chance(of: number): boolean {
        return this.fraction() < of;
    }

    pick<T>(from: readonly [T, ...T[]]): T {
        return from[this.whole(0, from.length - 1)] ?? from[0];
    }
}
