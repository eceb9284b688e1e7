const TWO_TO_32 = 0x1_0000_0000;

/** Numbers from 0 up to, not with, 1; the same ones for the same seed (xorshift32). */
export function randomNumbers(seed: number): () => number {
    let state = (seed ^ 0x9e37_79b9) | 0 || 1;
    return () => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        return (state >>> 0) / TWO_TO_32;
    };
}
