import { expect, it } from "vitest";
import { ChunkSize } from "./chunk-size.ts";

const settled = (bytesPerMs: number, roundTripMs: number): number => {
    const size = new ChunkSize();
    for (let sent = 0; sent < 40; sent++) size.arrived(size.bytes, size.bytes / bytesPerMs + roundTripMs / 2);
    return size.bytes;
};

it("is about a quarter of a second's worth on a slow link", () => {
    expect(settled(125, 0)).toBeGreaterThan(28_000);
    expect(settled(125, 0)).toBeLessThan(34_000);
    expect(settled(125, 200)).toBeLessThan(34_000);
});

it("grows on a fast one, also a long one, and has bounds", () => {
    expect(settled(1_000_000, 0)).toBe(1024 ** 2);
    expect(settled(100_000, 200)).toBe(1024 ** 2);
    expect(settled(0.01, 0)).toBe(8 * 1024);
});
