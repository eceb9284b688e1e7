import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { ZeroformError } from "../../protocol/errors.ts";
import { cachedRuntime, fetchRuntime, runtimeCache } from "../../provider/node/runtime-cache.ts";
import { RUNTIMES } from "../../provider/node/runtimes.ts";
import { fakeRegistry } from "./fake-registry.ts";

const directory = mkdtempSync(join(tmpdir(), "zeroform-runtime-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const work = { signal: new AbortController().signal, progress: () => undefined, moved: () => undefined };

describe("the runtimes in the registry", () => {
    const env = { ...process.env, XDG_CACHE_HOME: join(directory, "cache") };
    /** e_machine of an ELF file. */
    const MACHINES = { x86_64: 62, aarch64: 183 };

    for (const runtime of RUNTIMES)
        it(`are the pinned ones, whatever this machine is: ${runtime.arch}`, async () => {
            const path = await fetchRuntime(runtime, env, work);
            const program = readFileSync(path);
            expect(program.toString("latin1", 0, 4)).toBe("\x7fELF");
            expect(program.readUInt16LE(18)).toBe(MACHINES[runtime.arch]);
            expect(createHash("sha256").update(program).digest("hex")).toBe(runtime.sha256);
            expect((await runtimeCache(env)).entries).toContainEqual({
                arch: runtime.arch,
                version: runtime.version,
                path,
                bytes: runtime.bytes,
            });
        });
});

describe("a cache on a full disk", () => {
    it("is named with the room it needs, and holds nothing afterwards", async () => {
        await using registry = await fakeRegistry(join(directory, "registry"), randomBytes(6 * 1024 * 1024));
        const cache = join(directory, "small");
        mkdirSync(cache);
        execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", cache]);
        try {
            const npm = { npm_config_registry: registry.url, npm_config_cache: join(directory, "npm") };
            const env = { ...process.env, ...npm, XDG_CACHE_HOME: cache };
            const refused: ZeroformError = await fetchRuntime(registry.runtime, env, work).then(
                () => Promise.reject(new Error("it fitted")),
                (thrown) => thrown,
            );
            expect(refused.sentence()).toBe(
                `the disk is full: @zeroform-test/runtime@1.0.0 does not fit into ${cache}/zeroform/runtimes. ` +
                    "Free 12 MiB, or let XDG_CACHE_HOME name a directory with room.",
            );
            expect(readdirSync(dirname(cachedRuntime(registry.runtime, env)))).toEqual([]);
        } finally {
            execFileSync("umount", [cache]);
        }
    });
});
