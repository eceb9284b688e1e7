import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesOf, duration, formatDuration, formatSize, millisecondsOf, size } from "./quantity.ts";

describe("a size", () => {
    it.each([
        ["20GiB", "20GiB"],
        ["1024MiB", "1GiB"],
        ["1.5GiB", "1536MiB"],
        ["0.5KiB", "512B"],
        [1, "1B"],
        [5 * 2 ** 30, "5GiB"],
        ["1500B", "1500B"],
    ])("%s is %s", (written, normal) => expect(size().parse(written)).toBe(normal));

    it.each(["20GB", "20 GiB", "-1GiB", "", "GiB", "1e3B", "0B", 0, -1, 1.5, Number.NaN, `${"9".repeat(400)}TiB`, null, {}])(
        "is not %s",
        (written) => expect(size().safeParse(written).success).toBe(false),
    );

    it("comes back from every number of bytes, and is its own normal form", () => {
        fc.assert(
            fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (bytes) => {
                expect(bytesOf(formatSize(bytes))).toBe(bytes);
                expect(size().parse(formatSize(bytes))).toBe(formatSize(bytes));
            }),
        );
    });
});

describe("a duration", () => {
    it.each([
        ["24h", "1d"],
        ["90s", "90s"],
        ["120s", "2m"],
        ["0s", "0s"],
        ["0d", "0s"],
        ["1.5m", "90s"],
        ["250ms", "250ms"],
    ])("%s is %s", (written, normal) => expect(duration().parse(written)).toBe(normal));

    it.each(["5 m", "5min", "-1s", "", 5, null, `${"9".repeat(400)}d`])("is not %s", (written) =>
        expect(duration().safeParse(written).success).toBe(false),
    );

    it("comes back from every number of milliseconds", () => {
        fc.assert(
            fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (ms) => {
                expect(millisecondsOf(formatDuration(ms))).toBe(ms);
            }),
        );
    });
});
