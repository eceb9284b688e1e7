import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import type { ZeroformError } from "../../protocol/errors.ts";
import { fakeRegistry } from "../../test/package/fake-registry.ts";
import { cachedRuntime, fetchRuntime, runtimeCache } from "./runtime-cache.ts";
import { RUNTIMES } from "./runtimes.ts";

const directory = mkdtempSync(join(tmpdir(), "zfn-cache-"));
const program = randomBytes(3 * 1024 * 1024);
const registry = await fakeRegistry(join(directory, "registry"), program);
afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
});

let count = 0;
/** A user with an empty home, whose npm asks the registry on loopback. */
const freshEnv = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => {
    const home = join(directory, `home-${++count}`);
    mkdirSync(home);
    const npm = { npm_config_registry: registry.url, npm_config_cache: join(home, "npm"), npm_config_update_notifier: "false" };
    return { PATH: process.env.PATH, HOME: home, XDG_CACHE_HOME: join(home, "cache"), ...npm, ...more };
};
const fetch = async (env: NodeJS.ProcessEnv, runtime = registry.runtime, signal = new AbortController().signal) => {
    const said: string[] = [];
    const path = await fetchRuntime(runtime, env, { signal, progress: (doing) => void said.push(doing), moved: () => undefined });
    return { path, said };
};
const refused = async (env: NodeJS.ProcessEnv, runtime = registry.runtime): Promise<string> => {
    const error = await fetch(env, runtime).then(
        () => undefined,
        (thrown: ZeroformError) => thrown,
    );
    expect(error).toMatchObject({ code: "RUNTIME_MISSING", retryable: false });
    const cache = dirname(cachedRuntime(runtime, env));
    expect(statSync(cache, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(cache) : []).toEqual([]);
    return error?.sentence() ?? "";
};

describe("a runtime from the registry", () => {
    it("is fetched, checked and kept; the user is told meanwhile", async () => {
        const env = freshEnv();
        const { path, said } = await fetch(env);
        expect(path).toBe(cachedRuntime(registry.runtime, env));
        expect(readFileSync(path).equals(program)).toBe(true);
        expect(statSync(path).mode & 0o777).toBe(0o755);
        expect(readdirSync(dirname(path))).toHaveLength(1);
        expect(said[0]).toBe("fetching Bun 1.0.0 for x86_64 from the npm registry");
    });

    it("is right when two fetch it at once, and takes away what a killed fetch has left", async () => {
        const env = freshEnv();
        const left = join(dirname(cachedRuntime(registry.runtime, env)), ".fetch-old");
        mkdirSync(left, { recursive: true });
        utimesSync(left, 0, 0);
        const [first, second] = await Promise.all([fetch(env), fetch(env)]);
        expect(second.path).toBe(first.path);
        expect(readFileSync(first.path).equals(program)).toBe(true);
        expect(readdirSync(dirname(first.path))).toHaveLength(1);
    });

    it("that is not the pinned one is refused before it is unpacked", async () => {
        const other = { ...registry.runtime, integrity: RUNTIMES[0]?.integrity ?? "" };
        expect(await refused(freshEnv(), other)).toMatch(
            /gave a @zeroform-test\/runtime@1\.0\.0 that is not the one zeroform was tested with \(sha512-.*ZEROFORM_RUNTIME/,
        );
    });

    it("without npm names the ways out", async () => {
        expect(await refused(freshEnv({ PATH: join(directory, "nowhere") }))).toMatch(
            /there is no npm on PATH.*Install npm, which comes with Node\.js, or point ZEROFORM_RUNTIME to bin\/bun of @zeroform-test\/runtime@1\.0\.0\./,
        );
    });

    it("offline, or of a registry that does not have it, is named with npm's own words", async () => {
        expect(await refused(freshEnv({ npm_config_offline: "true" }))).toMatch(/registry.*cannot be reached: .*ZEROFORM_RUNTIME/);
        const closed = freshEnv({ npm_config_registry: "http://ann:hidden-word@127.0.0.1:9", npm_config_fetch_retries: "0" });
        const sentence = await refused(closed);
        expect(sentence).toMatch(/cannot be reached: .*ECONNREFUSED.*proxy settings/);
        expect(sentence).not.toContain("hidden-word");
        for (const code of ["FETCH_ERROR", "EIDLETIMEOUT"]) {
            const bin = join(directory, code);
            mkdirSync(bin);
            writeFileSync(join(bin, "npm"), `#!/bin/sh\necho '{"error":{"code":"${code}","summary":"it is silent"}}'; exit 1\n`, {
                mode: 0o755,
            });
            expect(await refused(freshEnv({ PATH: `${bin}:${process.env.PATH}` }))).toMatch(/cannot be reached: it is silent/);
        }
        const unknown = { ...registry.runtime, package: "@zeroform-test/absent" };
        expect(await refused(freshEnv(), unknown)).toMatch(/npm could not fetch @zeroform-test\/absent@1\.0\.0 for the agent: Not Found/);
    });

    it("into a cache that cannot be is refused with its path", async () => {
        const env = freshEnv();
        writeFileSync(env.XDG_CACHE_HOME ?? "", "a file");
        expect(await refused(env)).toMatch(/cache\/zeroform\/runtimes cannot be written \(ENOTDIR\).*XDG_CACHE_HOME/);
    });

    it("leaves nothing behind when nobody waits any more", async () => {
        const bin = join(directory, "slow");
        const started = join(directory, "started");
        mkdirSync(bin);
        writeFileSync(join(bin, "npm"), `#!/bin/sh\necho >"${started}"; exec sleep 600\n`, { mode: 0o755 });
        const env = freshEnv({ PATH: `${bin}:${process.env.PATH}` });
        const leaving = new AbortController();
        const fetching = fetch(env, registry.runtime, leaving.signal);
        while (!existsSync(started)) await setImmediate();
        leaving.abort();
        await expect(fetching).rejects.toMatchObject({ name: "AbortError" });
        expect(readdirSync(dirname(cachedRuntime(registry.runtime, env)))).toEqual([]);
    });
});

describe("the cache of runtimes", () => {
    it("says what it has", async () => {
        const env = freshEnv();
        expect(await runtimeCache(env)).toEqual({ directory: join(env.XDG_CACHE_HOME ?? "", "zeroform", "runtimes"), entries: [] });
        const [runtime] = RUNTIMES;
        if (!runtime) throw new Error("no runtime is pinned");
        const path = cachedRuntime(runtime, env);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, "12345");
        const { entries } = await runtimeCache(env);
        expect(entries).toEqual([{ arch: runtime.arch, version: runtime.version, path, bytes: 5 }]);
    });
});
