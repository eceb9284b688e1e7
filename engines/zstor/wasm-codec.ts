import { ErasureCodec } from "./erasure.ts";
import { type Matrix, multiply } from "./galois.ts";
import { MAX_SHARDS } from "./limits.ts";
import { kernelModule } from "./wasm-kernel.ts";

/** So much of each shard at a time: a stripe's worth of slices stays in the second cache. */
const SLICE_BYTES = 16 * 1024;
/** Products of a coefficient with the low and the high halves of a byte. */
const TABLE_BYTES = 32;
const VECTOR_BYTES = 32;

/** What lies where in the module's memory. */
const TARGET_AT = MAX_SHARDS * SLICE_BYTES;
const TABLES_AT = TARGET_AT + SLICE_BYTES;
const PAGE_BYTES = 65_536;
const PAGES = Math.ceil((TABLES_AT + MAX_SHARDS * MAX_SHARDS * TABLE_BYTES) / PAGE_BYTES);

type Dot = (target: number, sources: number, stride: number, count: number, tables: number, length: number) => void;

/** Without a library, at 2 GB/s of data (4+2 on Bun, where the plain codec does 0.5); undefined where WebAssembly lacks vectors. */
export function wasmCodec(): ErasureCodec | undefined {
    const module = kernelModule();
    if (!WebAssembly.validate(module)) return undefined;
    const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module), { kernel: { memory } });
    const dot = exports.dot as Dot;
    const bytes = new Uint8Array(memory.buffer);

    return new ErasureCodec("wasm", (coefficients, sources, targets) => {
        const length = targets[0]?.length ?? 0;
        if (targets.length !== coefficients.length || targets.some((target) => target.length !== length))
            throw new RangeError("the targets do not fit the rows");
        if (sources.length > MAX_SHARDS || targets.length > MAX_SHARDS) throw new RangeError(`more than ${MAX_SHARDS} shards`);
        writeTables(coefficients, sources.length, bytes);
        for (let at = 0; at < length; at += SLICE_BYTES) {
            const here = Math.min(SLICE_BYTES, length - at);
            sources.forEach((source, index) => {
                const slice = source.subarray(at, at + here);
                bytes.set(slice, index * SLICE_BYTES);
                bytes.fill(0, index * SLICE_BYTES + slice.length, index * SLICE_BYTES + here);
            });
            const whole = Math.ceil(here / VECTOR_BYTES) * VECTOR_BYTES;
            targets.forEach((target, row) => {
                dot(TARGET_AT, 0, SLICE_BYTES, sources.length, TABLES_AT + row * sources.length * TABLE_BYTES, whole);
                target.set(bytes.subarray(TARGET_AT, TARGET_AT + here), at);
            });
        }
    });
}

function writeTables(coefficients: Matrix, columns: number, bytes: Uint8Array): void {
    coefficients.forEach((row, index) => {
        for (let column = 0; column < columns; column++) {
            const factor = row[column] ?? 0;
            const at = TABLES_AT + (index * columns + column) * TABLE_BYTES;
            for (let half = 0; half < 16; half++) {
                bytes[at + half] = multiply(factor, half);
                bytes[at + 16 + half] = multiply(factor, half << 4);
            }
        }
    });
}
