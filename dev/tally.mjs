// `node dev/tally.mjs <vitest's JSON report> <failed checks>`: prints the line that closes .ci/run. Fails when anything failed, and when
// nothing ran.
import { readFileSync } from "node:fs";

const tests = tally(process.argv[2]);
const passed = tests.passed;
const failed = tests.failed + Number(process.argv[3] ?? 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

/** A file that could not be loaded counts as one failure, as its tests are not known. A skipped test is one that did not pass. */
function tally(file) {
    let report;
    try {
        report = JSON.parse(readFileSync(file, "utf8"));
    } catch {
        // Vitest did not come to its end.
        return { passed: 0, failed: 1 };
    }
    const results = report.testResults ?? [];
    const tests = results.flatMap((result) => result.assertionResults);
    const unloaded = results.filter((result) => result.status === "failed" && result.assertionResults.length === 0).length;
    const passed = tests.filter((test) => test.status === "passed").length;
    const untold = report.success === false && tests.length === passed && unloaded === 0 ? 1 : 0;
    return { passed, failed: tests.length - passed + unloaded + untold };
}
