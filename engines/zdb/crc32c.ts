/** CRC-32C (Castagnoli), reflected. The wire's variant begins with 0 and ends without an inversion. */
const POLYNOMIAL = 0x82f63b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? POLYNOMIAL : 0);
    return value;
});

/** Goes on from `crc`, so that a long payload can be taken in parts. */
export function crc32c(bytes: Uint8Array, crc = 0): number {
    let value = crc;
    for (let at = 0; at < bytes.length; at++) value = (value >>> 8) ^ (TABLE[(value ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
    return value >>> 0;
}
