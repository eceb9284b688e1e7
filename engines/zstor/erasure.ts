/**
 * A systematic erasure code: K data shards, M parity shards, any K of them give all back. Implementations give the same bytes
 * (`galois-codec.ts` everywhere, `seam-isal.ts` where the library is; `erasure.test.ts` compares them).
 */
export interface ErasureCodec {
    readonly name: string;
    /** Fills `parity` (M buffers of the same length) from `data` (K buffers, each of that length or shorter: zeros are meant to follow). */
    encode(data: readonly Uint8Array[], parity: readonly Uint8Array[]): void;
    /**
     * Gives the shards with the `wanted` indexes, in full length, from any K of the K + M: `shards` has at its index each that is there.
     * Throws when fewer than K are.
     */
    reconstruct(
        dataShards: number,
        parityShards: number,
        shards: readonly (Uint8Array | undefined)[],
        lengthBytes: number,
        wanted: readonly number[],
    ): Buffer[];
}
