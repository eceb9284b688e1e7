import { generatorMatrix, invert, type Matrix, multiply } from "./galois.ts";

/** rows x columns of coefficients, applied to `sources` (shorter ones are followed by zeros) into `targets`, which all have one length. */
export type Transform = (coefficients: Matrix, sources: readonly Uint8Array[], targets: readonly Uint8Array[]) => void;

/**
 * A systematic erasure code: K data shards, M parity shards, any K of them give all back. What differs between implementations is
 * the transform alone (`galois-codec.ts`, `wasm-codec.ts`, `seam-isal.ts` where the library is; `erasure.test.ts` compares them).
 */
export class ErasureCodec {
    readonly name: string;
    private readonly transform: Transform;
    private readonly generators = new Map<number, Matrix>();

    constructor(name: string, transform: Transform) {
        this.name = name;
        this.transform = transform;
    }

    /** Fills `parity` (M buffers of one length) from `data` (K buffers, each of that length or shorter: zeros are meant to follow). */
    encode(data: readonly Uint8Array[], parity: readonly Uint8Array[]): void {
        this.transform(this.generator(data.length, parity.length).slice(data.length), data, parity);
    }

    /**
     * Gives the shards with the `wanted` indexes, each `lengthBytes` long, from any K of the K + M: `shards` has at its index each that is
     * there. Throws when fewer than K are.
     */
    reconstruct(
        dataShards: number,
        parityShards: number,
        shards: readonly (Uint8Array | undefined)[],
        lengthBytes: number,
        wanted: readonly number[],
    ): Buffer[] {
        const there = shards.flatMap((shard, index) => (shard ? [{ shard, index }] : [])).slice(0, dataShards);
        if (there.length < dataShards) throw new RangeError(`${there.length} shards are there and ${dataShards} are needed`);
        const generator = this.generator(dataShards, parityShards);
        const back = invert(there.map(({ index }) => rowOf(generator, index)));
        const targets = wanted.map(() => Buffer.alloc(lengthBytes));
        this.transform(
            wanted.map((index) => product(rowOf(generator, index), back)),
            there.map(({ shard }) => shard),
            targets,
        );
        return targets;
    }

    private generator(dataShards: number, parityShards: number): Matrix {
        const key = dataShards * 256 + parityShards;
        let matrix = this.generators.get(key);
        if (matrix === undefined) {
            matrix = generatorMatrix(dataShards, parityShards);
            this.generators.set(key, matrix);
        }
        return matrix;
    }
}

function rowOf(matrix: Matrix, index: number): Uint8Array {
    const row = matrix[index];
    if (row === undefined) throw new RangeError(`there is no shard ${index}`);
    return row;
}

function product(row: Uint8Array, matrix: Matrix): Uint8Array {
    return Uint8Array.from(row, (_, column) =>
        row.reduce((sum, coefficient, index) => sum ^ multiply(coefficient, matrix[index]?.[column] ?? 0), 0),
    );
}
