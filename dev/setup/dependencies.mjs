// The npm packages as package-lock.json says, among them Node.js and Bun themselves.
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { machinePath } from "./places.mjs";
import { ROOT, SetupError, say, step } from "./say.mjs";

/** Installs them when any is missing or has another version. */
export async function ensureDependencies() {
    const difference = firstDifference();
    if (difference !== undefined) {
        say(difference);
        await npm(
            "npm ci",
            ["ci", "--no-audit", "--no-fund"],
            "The npm packages could not be installed: see npm's words above; it needs its registry",
        );
    }
    if (missingBinaries().length === 0) return;
    // They come by install scripts, which npm can be told not to run.
    const names = missingBinaries().map(([name]) => name);
    await npm(
        `npm rebuild ${names.join(" ")}`,
        ["rebuild", "--ignore-scripts=false", ...names],
        `The install scripts of ${names.join(" and ")} failed: see npm's words above`,
    );
    const missing = missingBinaries().map(([name]) => name);
    if (missing.length > 0) {
        throw new SetupError(
            `The npm packages ${missing.join(" and ")} came without their programs, as npm did not run their install scripts: allow them with \`npm install-scripts approve ${missing.join(" ")}\` and run this again.`,
        );
    }
}

/** npm runs on the machine's own Node.js: the one in node_modules goes away while it works. */
function npm(label, args, failure) {
    return step(label, "npm", args, { env: { ...process.env, PATH: machinePath() }, failure });
}

/** npm writes what it installed into node_modules/.package-lock.json. */
function firstDifference() {
    const wanted = packages("package-lock.json") ?? {};
    const installed = packages("node_modules/.package-lock.json");
    if (installed === undefined) return "node_modules is missing";
    for (const [path, { version, optional, os, cpu }] of Object.entries(wanted)) {
        if (path === "" || installed[path]?.version === version) continue;
        const forOthers = optional === true || os !== undefined || cpu !== undefined;
        if (installed[path] === undefined && forOthers) continue;
        return `${path} is ${installed[path]?.version ?? "missing"}, package-lock.json says ${version}`;
    }
    return undefined;
}

function packages(file) {
    try {
        return JSON.parse(readFileSync(join(ROOT, file), "utf8")).packages;
    } catch {
        return undefined;
    }
}

/** Before its install script ran, such a program is absent or a few lines of placeholder. */
const BINARIES = [
    ["node", "node_modules/node/bin/node"],
    ["bun", "node_modules/bun/bin/bun.exe"],
];
const BINARY_BYTES_MIN = 1_000_000;

function missingBinaries() {
    return BINARIES.filter(([, path]) => (statSync(join(ROOT, path), { throwIfNoEntry: false })?.size ?? 0) < BINARY_BYTES_MIN);
}
