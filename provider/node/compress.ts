import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { cacheFailure } from "./cache-directory.ts";
import type { Artifact } from "./release.ts";

/** Parts are compressed at the same time, one a thread of Node's pool; gunzip reads gzip files in a row as one. All of them lie in memory. */
const PART_BYTES = 2 * 1024 * 1024;
const PARTS_AT_ONCE = 4;
/** Bun's program, measured on one core: level 1 takes 2.3 s for 52.4 MiB, 3 takes 2.8 s for 50.9, 6 takes 5.5 s for 49.0. */
const LEVEL = 3;

const compressPart = promisify(gzip);

/** A release brings new ones, and nobody comes back for the old; what a killed process leaves goes sooner. */
const UNUSED_MS = 30 * 24 * 60 * 60_000;
const LEFTOVER_MS = 60 * 60_000;

/** Where the gzip file of a content lies. */
export const compressedPath = (directory: string, sha256: string): string => join(directory, `${sha256}.gz`);

/**
 * The gzip file of an artifact in a directory, made when it is not there yet. Several processes may do so at once. Nothing lies under that
 * name before it is whole and on the disk.
 */
export const compressInto = async (
    directory: string,
    { path, sha256 }: Artifact,
): Promise<{ readonly path: string; readonly bytes: number }> => {
    const kept = compressedPath(directory, sha256);
    const there = await sizeOf(kept);
    if (there !== undefined) {
        // So that it counts as used; whose it is does not matter.
        await utimes(kept, new Date(), new Date()).catch(() => undefined);
        return { path: kept, bytes: there };
    }
    const temporary = join(directory, `.${sha256}.${randomBytes(6).toString("hex")}`);
    try {
        await mkdir(directory, { recursive: true });
        await removeOld(directory);
        await compressFile(path, temporary);
        const { size } = await stat(temporary);
        await rename(temporary, kept);
        return { path: kept, bytes: size };
    } catch (thrown) {
        throw cacheFailure(thrown, { directory, what: "what is uploaded, compressed,", bytes: (await sizeOf(path)) ?? 0 }) ?? thrown;
    } finally {
        // What cannot go now goes as a leftover.
        await rm(temporary, { force: true }).catch(() => undefined);
    }
};

const removeOld = async (directory: string): Promise<void> => {
    for (const name of await readdir(directory)) {
        const path = join(directory, name);
        const used = await stat(path).catch(() => undefined);
        const limitMs = name.startsWith(".") ? LEFTOVER_MS : UNUSED_MS;
        if (used && Date.now() - used.mtimeMs > limitMs) await rm(path, { force: true });
    }
};

const compressFile = async (from: string, to: string): Promise<void> => {
    const [input, output] = [await open(from), await open(to, "wx")];
    try {
        const { size } = await input.stat();
        for (let at = 0; at < size; at += PART_BYTES * PARTS_AT_ONCE) {
            const starts = Array.from({ length: PARTS_AT_ONCE }, (_, part) => at + part * PART_BYTES).filter((start) => start < size);
            const compressed = starts.map(async (start) =>
                compressPart(await readPart(input, start, Math.min(PART_BYTES, size - start)), { level: LEVEL }),
            );
            for (const part of await Promise.all(compressed)) await output.writeFile(part);
        }
        await output.sync();
    } finally {
        await Promise.all([input.close(), output.close()]);
    }
};

const readPart = async (file: Awaited<ReturnType<typeof open>>, from: number, bytes: number): Promise<Buffer> => {
    const part = Buffer.alloc(bytes);
    let length = 0;
    while (length < bytes) {
        const { bytesRead } = await file.read(part, length, bytes - length, from + length);
        if (bytesRead === 0) break;
        length += bytesRead;
    }
    return part.subarray(0, length);
};

const sizeOf = (path: string): Promise<number | undefined> =>
    stat(path).then(
        ({ size }) => size,
        () => undefined,
    );
