import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { RUNTIMES } from "./runtimes.ts";

const read = (file: string) => JSON.parse(readFileSync(new URL(`../../${file}`, import.meta.url), "utf8"));

describe("the pinned runtimes", () => {
    it("are those that development and tests run on", () => {
        const lock: Record<string, { version: string; integrity: string }> = read("package-lock.json").packages;
        for (const { package: name, version, integrity } of RUNTIMES) {
            expect(version).toBe(read("package.json").devDependencies.bun);
            expect(lock[`node_modules/${name}`]).toMatchObject({ version, integrity });
        }
    });
});
