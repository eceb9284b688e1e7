import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { payloadChecksum, RECORD_HEAD_BYTES, type RecordHead, readHead, readUint64, writeHead, writeUint64 } from "./record.ts";

const uint32 = fc.nat({ max: 0xffff_ffff });
const record = fc.record({
    key: fc.uint8Array({ maxLength: 255 }),
    payload: fc.uint8Array({ maxLength: 600 }),
    lsn: fc.maxSafeNat(),
    previousLsn: fc.maxSafeNat(),
    timestamp: uint32,
    unsynced: uint32,
    salt: uint32,
    kind: fc.constantFrom(1, 2, 3, 4),
    encoding: fc.constantFrom(0, 1),
    before: fc.nat({ max: 50 }),
});

function encode(value: typeof record extends fc.Arbitrary<infer T> ? T : never): { bytes: Buffer; head: RecordHead } {
    const { key, payload, lsn, previousLsn, timestamp, unsynced, salt, kind, encoding, before } = value;
    const head = {
        kind,
        encoding,
        keyLength: key.length,
        payloadLength: payload.length,
        payloadChecksum: payloadChecksum(payload),
        lsn,
        previousLsn,
        timestamp,
        unsynced,
    } as RecordHead;
    const bytes = Buffer.alloc(before + RECORD_HEAD_BYTES + key.length);
    expect(writeHead(bytes, before, head, key, salt)).toBe(RECORD_HEAD_BYTES + key.length);
    return { bytes, head };
}

describe("record", () => {
    test("reads back what was written, wherever it lies", () => {
        fc.assert(
            fc.property(record, (value) => {
                const { bytes, head } = encode(value);
                expect(readHead(bytes, value.before, bytes.length, value.salt)).toEqual(head);
                expect(bytes.subarray(value.before + RECORD_HEAD_BYTES)).toEqual(Buffer.from(value.key));
            }),
        );
    });

    test("finds every flipped bit of head and key, every cut, and a record of another segment", () => {
        fc.assert(
            fc.property(record, fc.nat(), (value, where) => {
                const { bytes } = encode(value);
                const bits = (bytes.length - value.before) * 8;
                const bit = value.before * 8 + (where % bits);
                const byte = Math.floor(bit / 8);
                bytes[byte] = (bytes[byte] ?? 0) ^ (1 << (bit % 8));
                expect(readHead(bytes, value.before, bytes.length, value.salt)).toBeUndefined();
                bytes[byte] = (bytes[byte] ?? 0) ^ (1 << (bit % 8));
                expect(readHead(bytes, value.before, bytes.length - 1, value.salt)).toBeUndefined();
                expect(readHead(bytes, value.before, bytes.length, (value.salt ^ 1) >>> 0)).toBeUndefined();
            }),
        );
    });

    test("zeros are no record", () => expect(readHead(Buffer.alloc(400), 0, 400, 0)).toBeUndefined());

    test("64-bit numbers survive", () => {
        fc.assert(
            fc.property(fc.maxSafeNat(), (value) => {
                const bytes = Buffer.alloc(8);
                writeUint64(bytes, value, 0);
                expect(bytes.readBigUInt64LE(0)).toBe(BigInt(value));
                expect(readUint64(bytes, 0)).toBe(value);
            }),
        );
    });
});
