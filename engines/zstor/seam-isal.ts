import { ErasureCodec } from "./erasure.ts";
import type { Matrix } from "./galois.ts";

const LIBRARY = "libisal.so.2";
/** Of ec_init_tables, a coefficient. */
const TABLE_BYTES = 32;

const ffi = process.versions.bun === undefined ? undefined : await import("bun:ffi");

/** Through Intel's ISA-L; undefined on Node and where the library (Debian: libisal2) is missing. */
export function isalCodec(): ErasureCodec | undefined {
    if (ffi === undefined) return undefined;
    try {
        return bind(ffi);
    } catch {
        // dlopen says no more than that it cannot: the plain codec does the same.
        return undefined;
    }
}

function bind({ dlopen, ptr }: typeof import("bun:ffi")): ErasureCodec {
    const { symbols } = dlopen(LIBRARY, {
        ec_init_tables: { args: ["i32", "i32", "ptr", "ptr"], returns: "void" },
        ec_encode_data: { args: ["i32", "i32", "i32", "ptr", "ptr", "ptr"], returns: "void" },
    });
    /** Tables of the matrices in use: an encoder's and those of a few patterns of loss. */
    const tables = new Map<string, Uint8Array>();
    const tablesOf = (coefficients: Matrix, columns: number): Uint8Array => {
        const flat = Buffer.concat(coefficients);
        const key = `${columns} ${flat.toString("latin1")}`;
        let made = tables.get(key);
        if (made === undefined) {
            if (tables.size >= MOST_TABLES) tables.clear();
            made = new Uint8Array(new ArrayBuffer(TABLE_BYTES * flat.length));
            const own = new Uint8Array(new ArrayBuffer(flat.length));
            own.set(flat);
            symbols.ec_init_tables(columns, coefficients.length, ptr(own), ptr(made));
            tables.set(key, made);
        }
        return made;
    };
    return new ErasureCodec("isa-l", (coefficients, sources, targets) => {
        const length = targets[0]?.length ?? 0;
        if (coefficients.length === 0 || length === 0) return;
        if (targets.length !== coefficients.length || targets.some((target) => target.length !== length))
            throw new RangeError("the targets do not fit the rows");
        const full = sources.map((source) => {
            if (source.length === length) return source;
            const filled = new Uint8Array(new ArrayBuffer(length));
            filled.set(source);
            return filled;
        });
        const from = BigUint64Array.from(full, (source) => BigInt(ptr(source)));
        const to = BigUint64Array.from(targets, (target) => BigInt(ptr(target)));
        symbols.ec_encode_data(
            length,
            sources.length,
            coefficients.length,
            ptr(tablesOf(coefficients, sources.length)),
            ptr(from),
            ptr(to),
        );
    });
}

const MOST_TABLES = 64;
