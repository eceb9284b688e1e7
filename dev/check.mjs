// `npm run check`: everything that judges the sources without running them, side by side.
import { spawn } from "node:child_process";
import { ROOT, SetupError } from "./setup/say.mjs";
import { main, setUp } from "./setup.mjs";

const CHECKS = [
    ["types", "tsc", ["-p", "tsconfig.json", "--incremental", "--tsBuildInfoFile", "node_modules/.cache/zeroform/types.tsbuildinfo"]],
    ["lint and format", "biome", ["check", "--error-on-warnings"]],
    ["import arrows", "node", ["dev/arrows.ts"]],
    ["generated docs", "node", ["schema/docs.ts", "--check"]],
];

await main(async () => {
    const path = await setUp(["dependencies"]);
    const results = await Promise.all(CHECKS.map(([label, program, args]) => check(label, program, args, path)));
    const failed = results.filter((result) => !result.passed).map((result) => result.label);
    if (failed.length > 0) throw new SetupError(`npm run check: ${failed.join(", ")} failed: see above.`);
});

/** Output only of what failed. */
function check(label, program, args, path) {
    const started = Date.now();
    return new Promise((resolve) => {
        let output = "";
        const child = spawn(program, args, { cwd: ROOT, env: { ...process.env, PATH: path }, stdio: ["ignore", "pipe", "pipe"] });
        for (const stream of [child.stdout, child.stderr]) {
            stream.on("data", (chunk) => {
                output += chunk;
            });
        }
        child.on("error", (error) => {
            output += error.message;
        });
        child.on("close", (code) => {
            const seconds = ((Date.now() - started) / 1000).toFixed(1);
            process.stdout.write(`${code === 0 ? "ok    " : "FAILED"} ${label.padEnd(16)} ${seconds} s\n`);
            if (code !== 0) process.stdout.write(`${output.trimEnd()}\n`);
            resolve({ label, passed: code === 0 });
        });
    });
}
