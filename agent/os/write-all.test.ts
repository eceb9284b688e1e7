import type { FileHandle } from "node:fs/promises";
import { expect, it } from "vitest";
import { writeAll } from "./write-all.ts";

/** A file of nines that takes at most so many bytes at a time. */
const file = (most: readonly number[]) => {
    const content = Buffer.alloc(12, 9);
    let calls = 0;
    const write = async (bytes: Buffer, from: number, length: number, at: number) => {
        const bytesWritten = Math.min(length, most[calls++] ?? length);
        bytes.copy(content, at, from, from + bytesWritten);
        return { bytesWritten, buffer: bytes };
    };
    return { content, handle: { write } as unknown as Pick<FileHandle, "write"> };
};

it("writes what is left of a write that was cut short", async () => {
    const { content, handle } = file([3, 1]);
    await writeAll(handle, Buffer.alloc(8), 2);
    expect([...content]).toEqual([9, 9, 0, 0, 0, 0, 0, 0, 0, 0, 9, 9]);
});

it("says what was not taken", async () => {
    const { handle } = file([3, 0]);
    await expect(writeAll(handle, Buffer.alloc(8), 2)).rejects.toThrow("5 bytes at 5 were not taken");
});
