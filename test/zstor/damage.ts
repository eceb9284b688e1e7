import fc from "fast-check";

/** What can become of bytes on their way or at rest. */
export type Damage =
    | { readonly kind: "bit" | "byte" | "cut" | "lost"; readonly at: number; readonly value: number }
    | { readonly kind: "put in" | "number"; readonly at: number; readonly bytes: Uint8Array }
    | { readonly kind: "others"; readonly bytes: Uint8Array };

/** Numbers that claim much: varints and lengths of every width. */
const CLAIMS = ["ffffffffffffff7f", "ffffffff", "00000080", "ffffff7f", "80808080808001", "00", "ff", "ffff", "0000000000000080"];

export const damage: fc.Arbitrary<Damage> = fc.oneof(
    fc.record({ kind: fc.constantFrom("bit", "byte", "cut", "lost"), at: fc.nat(), value: fc.nat(255) }),
    fc.record({ kind: fc.constant("put in" as const), at: fc.nat(), bytes: fc.uint8Array({ minLength: 1, maxLength: 20 }) }),
    fc.record({
        kind: fc.constant("number" as const),
        at: fc.nat(),
        bytes: fc.constantFrom(...CLAIMS).map((hex) => Uint8Array.from(Buffer.from(hex, "hex"))),
    }),
    fc.record({ kind: fc.constant("others" as const), bytes: fc.uint8Array({ maxLength: 400 }) }),
);

export const damages = fc.array(damage, { minLength: 1, maxLength: 3 });

/** The bytes with all of it, one after the other; the given ones stay as they are. */
export function damaged(bytes: Buffer, all: readonly Damage[]): Buffer {
    return all.reduce((before: Buffer, each) => damagedOnce(before, each), bytes);
}

function damagedOnce(bytes: Buffer, each: Damage): Buffer {
    if (each.kind === "others") return Buffer.from(each.bytes);
    const at = bytes.length === 0 ? 0 : each.at % bytes.length;
    const [before, from] = [bytes.subarray(0, at), bytes.subarray(at)];
    switch (each.kind) {
        case "bit":
            return Buffer.concat([before, flipped(from, 1 << (each.value % 8))]);
        case "byte":
            return Buffer.concat([before, Buffer.of(each.value), from.subarray(1)]);
        case "cut":
            return Buffer.from(before);
        case "lost":
            return Buffer.concat([before, from.subarray(1 + (each.value % 8))]);
        case "put in":
            return Buffer.concat([before, each.bytes, from]);
        case "number":
            return Buffer.concat([before, each.bytes, from.subarray(each.bytes.length)]);
    }
}

function flipped(bytes: Buffer, bits: number): Buffer {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) copy.writeUInt8(copy.readUInt8(0) ^ bits);
    return copy;
}

/** The bytes in pieces, cut at these places. */
export function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
    const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
    return edges.slice(1).map((edge, index) => Buffer.from(bytes.subarray(edges[index], edge)));
}
