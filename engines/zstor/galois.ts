/** GF(2^8) with polynomial 0x11d, as ISA-L has it. */
const POLYNOMIAL = 0x11d;
const ORDER = 255;

const EXP = new Uint8Array(2 * ORDER);
const LOG = new Uint8Array(256);
for (let power = 0, value = 1; power < ORDER; power++) {
    EXP[power] = value;
    EXP[power + ORDER] = value;
    LOG[value] = power;
    value <<= 1;
    if (value > 255) value ^= POLYNOMIAL;
}

const at = (table: Uint8Array, index: number): number => table[index] ?? 0;

export function multiply(a: number, b: number): number {
    return a === 0 || b === 0 ? 0 : at(EXP, at(LOG, a) + at(LOG, b));
}

export function inverse(a: number): number {
    if (a === 0) throw new RangeError("zero has no inverse");
    return at(EXP, ORDER - at(LOG, a));
}

/** Rows of coefficients. */
export type Matrix = readonly Uint8Array[];

/** The identity above the Cauchy matrix 1 / ((K + p) xor d): any K of its rows are independent. */
export function generatorMatrix(dataShards: number, parityShards: number): Matrix {
    return Array.from({ length: dataShards + parityShards }, (_, row) =>
        Uint8Array.from({ length: dataShards }, (_, column) => {
            if (row < dataShards) return row === column ? 1 : 0;
            return inverse(row ^ column);
        }),
    );
}

/** By Gauss and Jordan; throws for what has no inverse, which no K rows of a generator matrix are. */
export function invert(matrix: Matrix): Matrix {
    const size = matrix.length;
    const rows = matrix.map((row, index) => {
        const wide = new Uint8Array(2 * size);
        wide.set(row);
        wide[size + index] = 1;
        return wide;
    });
    const row = (index: number) => rows[index] ?? new Uint8Array();
    for (let column = 0; column < size; column++) {
        const pivot = rows.findIndex((candidate, index) => index >= column && candidate[column] !== 0);
        if (pivot < 0) throw new RangeError("the matrix has no inverse");
        [rows[column], rows[pivot]] = [row(pivot), row(column)];
        scale(row(column), inverse(at(row(column), column)));
        for (let other = 0; other < size; other++) {
            if (other !== column) addScaled(row(other), row(column), at(row(other), column));
        }
    }
    return rows.map((wide) => wide.slice(size));
}

function scale(row: Uint8Array, factor: number): void {
    for (let index = 0; index < row.length; index++) row[index] = multiply(at(row, index), factor);
}

/** target += factor * source, byte by byte; `source` may be shorter. */
export function addScaled(target: Uint8Array, source: Uint8Array, factor: number): void {
    if (factor === 0) return;
    const table = productsOf(factor);
    // Four bytes of source at once would need aligned buffers; V8 and JavaScriptCore do this loop at about a byte a nanosecond.
    for (let index = 0; index < source.length; index++) target[index] = at(target, index) ^ at(table, at(source, index));
}

const PRODUCTS: (Uint8Array | undefined)[] = [];

function productsOf(factor: number): Uint8Array {
    let table = PRODUCTS[factor];
    if (table === undefined) {
        table = Uint8Array.from({ length: 256 }, (_, value) => multiply(value, factor));
        PRODUCTS[factor] = table;
    }
    return table;
}
