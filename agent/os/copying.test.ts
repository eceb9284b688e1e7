import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeEqual } from "./copying.ts";

const MIB = 2 ** 20;

describe("a copy of a file", () => {
    let directory: string;
    beforeEach(() => {
        directory = mkdtempSync(`${tmpdir()}/zf-copying-`);
    });
    afterEach(() => rmSync(directory, { recursive: true }));

    it("writes what differs only, goes on after a cut, and finds nothing to do at the end", async () => {
        const [from, to] = [`${directory}/from`, `${directory}/to`];
        const text = Buffer.alloc(9 * MIB + 5);
        text.fill("first", 0, MIB).fill("last", 9 * MIB);
        writeFileSync(from, text);
        writeFileSync(to, "");
        truncateSync(to, text.length);
        const signal = new AbortController().signal;
        const seen: number[] = [];

        const cut = new AbortController();
        await expect(makeEqual(from, to, () => cut.abort(), cut.signal)).rejects.toThrow();
        expect(readFileSync(to).subarray(0, MIB).equals(text.subarray(0, MIB))).toBe(true);

        // The first chunk is there, the second is nothing but zeros: one is left.
        expect(await makeEqual(from, to, (bytes) => seen.push(bytes), signal)).toBe(MIB + 5);
        expect(seen).toEqual([4 * MIB, 8 * MIB, 9 * MIB + 5]);
        expect(readFileSync(to).equals(text)).toBe(true);
        expect(await makeEqual(from, to, () => undefined, signal)).toBe(0);
    });
});
