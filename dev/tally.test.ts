import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const TALLY = fileURLToPath(new URL("tally.mjs", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "zeroform-tally-"));
afterAll(() => rmSync(directory, { recursive: true }));

const tests = (...statuses: string[]) => ({ status: "passed", assertionResults: statuses.map((status) => ({ status })) });

const tally = (report: unknown, ...args: string[]) => {
    const file = join(directory, "report.json");
    writeFileSync(file, typeof report === "string" ? report : JSON.stringify(report));
    const { stdout, status } = spawnSync(process.execPath, [TALLY, file, ...args], { encoding: "utf8" });
    return [stdout, status];
};

test.each([
    ["all passed", { success: true, testResults: [tests("passed", "passed"), tests("passed")] }, [], "3 passed, 0 failed\n", 0],
    ["one failed", { success: false, testResults: [tests("passed", "failed")] }, [], "1 passed, 1 failed\n", 1],
    ["a skipped test is not a passed one", { success: true, testResults: [tests("passed", "pending")] }, [], "1 passed, 1 failed\n", 1],
    [
        "a file that cannot be loaded",
        { success: false, testResults: [tests("passed"), { status: "failed", assertionResults: [] }] },
        [],
        "1 passed, 1 failed\n",
        1,
    ],
    ["an error outside of tests", { success: false, testResults: [tests("passed")] }, [], "1 passed, 1 failed\n", 1],
    ["a failed check", { success: true, testResults: [tests("passed")] }, ["1"], "1 passed, 1 failed\n", 1],
    ["nothing ran", { success: true, testResults: [] }, [], "0 passed, 0 failed\n", 1],
    ["no report", "", [], "0 passed, 1 failed\n", 1],
])("%s", (_, report, args, line, status) => expect(tally(report, ...args)).toEqual([line, status]));
