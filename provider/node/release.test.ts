import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { unwatchedWork } from "../../test/agent/unwatched-work.ts";
import { Release } from "./release.ts";
import { cachedRuntime } from "./runtime-cache.ts";
import { runtimeFor } from "./runtimes.ts";

const directory = mkdtempSync(join(tmpdir(), "zfn-release-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const written = (name: string, content: Buffer | string) => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
};
const elf = (machine: number) => Buffer.concat([Buffer.from("\x7fELF", "latin1"), Buffer.alloc(14), Buffer.from([machine, 0])]);
const env = (more: NodeJS.ProcessEnv = {}) => ({ XDG_CACHE_HOME: directory, ...more });

describe("the runtime for a node", () => {
    const work = unwatchedWork();

    it("is the one that npm has installed, when it is the pinned one", async () => {
        const arch = process.arch === "arm64" ? "aarch64" : "x86_64";
        const runtime = await new Release({ env: env({ PATH: "/nowhere" }) }).runtime({ arch }, "alpha", work);
        expect(runtime).toMatchObject({ sha256: runtimeFor(arch)?.sha256, bytes: runtimeFor(arch)?.bytes });
    });

    it("may be named by the environment, when it is a program for the node", async () => {
        const given = written("bun-arm", elf(183));
        const release = new Release({ env: env({ ZEROFORM_RUNTIME: given }) });
        expect((await release.runtime({ arch: "aarch64" }, "alpha", work)).path).toBe(given);
        await expect(release.runtime({ arch: "x86_64" }, "alpha", work)).rejects.toMatchObject({
            code: "WRONG_ARCHITECTURE",
            message: expect.stringContaining(`ZEROFORM_RUNTIME (${given}) is not a program for it`),
        });
        const nowhere = new Release({ env: env({ ZEROFORM_RUNTIME: "/nowhere/bun" }) }).runtime({ arch: "x86_64" }, "alpha", work);
        await expect(nowhere).rejects.toMatchObject({ code: "RUNTIME_MISSING", message: expect.stringContaining("/nowhere/bun") });
    });

    it("is fetched once for all who wait, and what lies in the cache counts by its content only", async () => {
        const other = process.arch === "arm64" ? "x86_64" : "aarch64";
        const runtime = runtimeFor(other);
        if (!runtime) throw new Error(`no runtime for ${other}`);
        const cached = cachedRuntime(runtime, env());
        mkdirSync(dirname(cached), { recursive: true });
        writeFileSync(cached, elf(183));
        truncateSync(cached, runtime.bytes);
        const bin = join(directory, "bin");
        mkdirSync(bin);
        writeFileSync(join(bin, "npm"), `#!/bin/sh\necho run >>"$NPM_RUNS"\necho '{"error":{"code":"E404","summary":"none"}}'; exit 1\n`, {
            mode: 0o755,
        });
        const runs = join(directory, "runs");
        const release = new Release({ env: env({ PATH: `${bin}:${process.env.PATH}`, NPM_RUNS: runs }) });
        const both = await Promise.allSettled([1, 2].map(() => release.runtime({ arch: other }, "alpha", work)));
        for (const each of both) expect(each).toMatchObject({ reason: { code: "RUNTIME_MISSING" } });
        expect(readFileSync(runs, "utf8")).toBe("run\n");
    });
});

describe("an artifact", () => {
    it("that is missing from the package is asked for by its path", async () => {
        const agentBundle = join(directory, "absent.js");
        await expect(new Release({ env: env(), agentBundle }).agent()).rejects.toMatchObject({
            code: "AGENT_MISSING",
            message: expect.stringContaining(agentBundle),
        });
    });

    it("is measured again when it has changed", async () => {
        const agentBundle = written("agent.js", "first");
        const release = new Release({ env: env(), agentBundle });
        const before = await release.agent();
        expect(await release.agent()).toEqual(before);
        written("agent.js", "second, and longer");
        expect((await release.agent()).sha256).not.toBe(before.sha256);
    });

    it("is compressed once, in parts that gunzip reads as one", async () => {
        const content = Buffer.concat([randomBytes(9 * 1024 * 1024), Buffer.alloc(30 * 1024 * 1024, "z")]);
        const release = new Release({ env: env(), agentBundle: written("large.js", content) });
        const artifact = await release.agent();
        const [first, second] = await Promise.all([release.compressed(artifact), release.compressed(artifact)]);
        expect(second).toEqual(first);
        const kept = readFileSync(first.path);
        expect(kept.length).toBe(first.bytes);
        expect(gunzipSync(kept).equals(content)).toBe(true);
        expect(readdirSync(join(directory, "zeroform", "compressed"))).toHaveLength(1);
        expect(await new Release({ env: env() }).compressed(artifact)).toEqual(first);
        writeFileSync(first.path, kept.subarray(0, 1000));
        await release.forgetCompressed(artifact);
        expect(await release.compressed(artifact)).toEqual(first);
        expect(readFileSync(first.path).equals(kept)).toBe(true);
    });

    it("takes with it what killed processes and old releases left in the cache", async () => {
        const own = env({ XDG_CACHE_HOME: join(directory, "crowded") });
        const cache = join(own.XDG_CACHE_HOME, "zeroform", "compressed");
        mkdirSync(cache, { recursive: true });
        const ages = { "old.gz": 31 * 24, "young.gz": 29 * 24, ".killed": 2, ".running": 0 };
        for (const [name, hours] of Object.entries(ages)) {
            writeFileSync(join(cache, name), "x");
            const then = new Date(Date.now() - hours * 3_600_000);
            utimesSync(join(cache, name), then, then);
        }
        const release = new Release({ env: own, agentBundle: written("small.js", "small") });
        const { sha256 } = await release.agent();
        await release.compressed(await release.agent());
        expect(readdirSync(cache).toSorted()).toEqual([".running", `${sha256}.gz`, "young.gz"].toSorted());
        utimesSync(join(cache, `${sha256}.gz`), new Date(0), new Date(0));
        await release.compressed(await release.agent());
        expect(statSync(join(cache, `${sha256}.gz`)).mtimeMs).toBeGreaterThan(Date.now() - 60_000);
    });

    it("for which there is no cache is refused with its path", async () => {
        const occupied = written("occupied", "a file");
        const release = new Release({ env: env({ XDG_CACHE_HOME: occupied }), agentBundle: written("any.js", "any") });
        const refused = release.compressed(await release.agent());
        await expect(refused).rejects.toMatchObject({
            code: "RUNTIME_MISSING",
            message: `${join(occupied, "zeroform", "compressed")} cannot be written (ENOTDIR)`,
            hint: expect.stringContaining("XDG_CACHE_HOME"),
        });
    });
});
