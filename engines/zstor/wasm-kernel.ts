/**
 * The inner loop of Reed-Solomon as a WebAssembly module with 128-bit vectors, assembled here: no compiler, no binary in the repository.
 *
 * `dot(target, sources, stride, count, tables, length)` writes to `target` the sum over `count` sources of source times coefficient in
 * GF(2^8). Source i begins at `sources + i * stride`; `tables + i * 32` has the products of its coefficient with the 16 low and the 16 high
 * halves of a byte, so a product of 16 bytes is two shuffles. `length` is a multiple of 32.
 */

const I32 = 0x7f;
const V128 = 0x7b;
const VOID = 0x40;

const END = 0x0b;
const localGet = (index: number) => [0x20, index];
const localSet = (index: number) => [0x21, index];
const i32Const = (value: number) => [0x41, value];
const I32_ADD = 0x6a;
const I32_SUB = 0x6b;
const I32_LT_U = 0x49;
const loop = (body: readonly number[]) => [0x03, VOID, ...body, END];
const brIf = (depth: number) => [0x0d, depth];

/** Every vector instruction has this prefix. */
const vector = (...code: readonly number[]) => [0xfd, ...code];
/** Aligned to 16 bytes (2^4). */
const v128Load = (offset: number) => vector(0x00, 4, offset);
const v128Store = (offset: number) => vector(0x0b, 4, offset);
const v128Splat = (byte: number) => vector(0x0c, ...new Array<number>(16).fill(byte));
const SWIZZLE = vector(0x0e);
const AND = vector(0x4e);
const XOR = vector(0x51);
const SHIFT_RIGHT_U8 = vector(0x6d);

/** Parameters, then locals. */
const [TARGET, SOURCES, STRIDE, COUNT, TABLES, LENGTH, AT, SOURCE, TABLE, LEFT, LOW, HIGH, BYTES, SUM_0, SUM_1] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
] as const;

const add = (local: number, amount: readonly number[]) => [...localGet(local), ...amount, I32_ADD, ...localSet(local)];

/** Adds the product of 16 bytes of the source at `offset` to a sum. */
const accumulate = (sum: number, offset: number) => [
    ...[...localGet(SOURCE), ...v128Load(offset), ...localSet(BYTES)],
    ...localGet(sum),
    ...[...localGet(LOW), ...localGet(BYTES), ...v128Splat(0x0f), ...AND, ...SWIZZLE],
    ...XOR,
    ...[...localGet(HIGH), ...localGet(BYTES), ...i32Const(4), ...SHIFT_RIGHT_U8, ...SWIZZLE],
    ...XOR,
    ...localSet(sum),
];

const overSources = loop([
    ...[...localGet(TABLE), ...v128Load(0), ...localSet(LOW)],
    ...[...localGet(TABLE), ...v128Load(16), ...localSet(HIGH)],
    ...accumulate(SUM_0, 0),
    ...accumulate(SUM_1, 16),
    ...add(SOURCE, localGet(STRIDE)),
    ...add(TABLE, i32Const(32)),
    ...[...localGet(LEFT), ...i32Const(1), I32_SUB, ...localSet(LEFT)],
    ...localGet(LEFT),
    ...brIf(0),
]);

const overBytes = loop([
    ...[...v128Splat(0), ...localSet(SUM_0), ...v128Splat(0), ...localSet(SUM_1)],
    ...[...localGet(SOURCES), ...localGet(AT), I32_ADD, ...localSet(SOURCE)],
    ...[...localGet(TABLES), ...localSet(TABLE), ...localGet(COUNT), ...localSet(LEFT)],
    ...overSources,
    ...[...localGet(TARGET), ...localGet(AT), I32_ADD, ...localGet(SUM_0), ...v128Store(0)],
    ...[...localGet(TARGET), ...localGet(AT), I32_ADD, ...localGet(SUM_1), ...v128Store(16)],
    ...add(AT, i32Const(32)),
    ...[...localGet(AT), ...localGet(LENGTH), I32_LT_U],
    ...brIf(0),
]);

const unsigned = (value: number): number[] => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]);
const sized = (bytes: readonly number[]) => [...unsigned(bytes.length), ...bytes];
const section = (id: number, bytes: readonly number[]) => [id, ...sized(bytes)];
const text = (value: string) => sized([...Buffer.from(value)]);

const TYPE = [0x60, 6, I32, I32, I32, I32, I32, I32, 0];
const LOCALS = [2, 4, I32, 5, V128];
const MEMORY = 0x02;
const FUNCTION = 0x00;

export function kernelModule(): Uint8Array<ArrayBuffer> {
    return new Uint8Array([
        ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
        ...section(1, [1, ...TYPE]),
        ...section(2, [1, ...text("kernel"), ...text("memory"), MEMORY, 0, 1]),
        ...section(3, [1, 0]),
        ...section(7, [1, ...text("dot"), FUNCTION, 0]),
        ...section(10, [1, ...sized([...LOCALS, ...overBytes, END])]),
    ]);
}
