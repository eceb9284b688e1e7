import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { tarEntry } from "./tar-entry.ts";

const directory = mkdtempSync(join(tmpdir(), "zfn-tar-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const SIZES = { empty: 0, small: 1, block: 512, large: 100_001 };
const contentOf = (name: string, size: number) => Buffer.alloc(size, `${name} `);
mkdirSync(join(directory, "package"));
for (const [name, size] of Object.entries(SIZES)) writeFileSync(join(directory, "package", name), contentOf(name, size));
const tar = execFileSync("tar", ["-cf", "-", "--format=ustar", "-C", directory, "package"], { maxBuffer: 1 << 24 });

async function* inChunks(of: Buffer, bytes: number) {
    for (let at = 0; at < of.length; at += bytes) yield of.subarray(at, at + bytes);
}
const read = async (name: string, chunkBytes: number, of = tar) => {
    const parts: Buffer[] = [];
    for await (const part of tarEntry(inChunks(of, chunkBytes), `package/${name}`)) parts.push(part);
    return Buffer.concat(parts);
};

describe("a file in a tar stream", () => {
    for (const chunkBytes of [1, 511, 512, 700, 1 << 20])
        it(`is read whole, however the stream is cut: by ${chunkBytes}`, async () => {
            for (const name of ["small", "block", "large"] as const)
                expect((await read(name, chunkBytes)).equals(contentOf(name, SIZES[name]))).toBe(true);
        });

    it("that is not there, or is cut off, is an error", async () => {
        await expect(read("absent", 512)).rejects.toThrow("the tarball has no package/absent");
        const within = tar.indexOf("large large") + 1000;
        await expect(read("large", 512, tar.subarray(0, within))).rejects.toThrow("the tarball ends within package/large");
    });
});
