import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { Release } from "./release.ts";

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
    const modern = { arch: "x86_64", hasAvx2: true };

    it("is the one that npm has installed", async () => {
        const runtime = await new Release({ env: env() }).runtime(modern, "alpha");
        expect(readFileSync(runtime.path).subarray(0, 4).toString("latin1")).toBe("\x7fELF");
        expect(runtime).toMatchObject({ sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    });

    it("may be named by the environment, when it is a program for the node", async () => {
        const given = written("bun-arm", elf(183));
        const release = new Release({ env: env({ ZEROFORM_RUNTIME: given }) });
        expect((await release.runtime({ arch: "aarch64", hasAvx2: false }, "alpha")).path).toBe(given);
        await expect(release.runtime(modern, "alpha")).rejects.toMatchObject({
            code: "WRONG_ARCHITECTURE",
            message: expect.stringContaining(`ZEROFORM_RUNTIME (${given}) is not a program for it`),
        });
    });

    it("that is not here is asked for by name", async () => {
        const release = new Release({ env: env() });
        await expect(release.runtime({ arch: "aarch64", hasAvx2: false }, "alpha")).rejects.toMatchObject({
            code: "WRONG_ARCHITECTURE",
            hint: expect.stringContaining("@oven/bun-linux-aarch64"),
        });
        await expect(release.runtime({ ...modern, hasAvx2: false }, "alpha")).rejects.toMatchObject({
            code: "WRONG_ARCHITECTURE",
            message: expect.stringContaining("without AVX2"),
        });
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
    });
});
