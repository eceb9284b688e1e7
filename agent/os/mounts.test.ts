import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mounts } from "./mounts.ts";

const flagsOf = (path: string) => execFileSync("lsattr", ["-d", path], { encoding: "utf8" }).split(" ")[0];

describe("a mount point", () => {
    let directory: string;
    let point: string;
    beforeEach(() => {
        directory = mkdtempSync(`${tmpdir()}/zf-mounts-`);
        point = `${directory}/point`;
    });
    afterEach(async () => {
        await mounts.removePoint(point);
        rmdirSync(directory);
    });

    it("takes no file while it is bare, and is made and removed as often as one likes", async () => {
        for (let round = 0; round < 2; round++) await mounts.preparePoint(point);
        expect(flagsOf(point)).toContain("i");
        expect(() => writeFileSync(`${point}/lost`, "")).toThrow("EPERM");
        for (let round = 0; round < 2; round++) await mounts.removePoint(point);
        expect(existsSync(point)).toBe(false);
    });

    it("leaves what is mounted on it as writable as it is, also what was mounted while it was being made", async () => {
        mkdirSync(point);
        for (let round = 0; round < 20; round++) {
            const preparing = mounts.preparePoint(point);
            // Ever later, so that it falls into every step.
            for (let turn = 0; turn < round; turn++) await new Promise(setImmediate);
            execFileSync("mount", ["-t", "tmpfs", "none", point]);
            try {
                await preparing;
                await mounts.preparePoint(point);
                writeFileSync(`${point}/kept`, "");
            } finally {
                execFileSync("umount", [point]);
            }
        }
        await mounts.preparePoint(point);
        expect(flagsOf(point)).toContain("i");
    });
});
