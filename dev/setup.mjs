#!/usr/bin/env node
// Makes a fresh clone ready: `node dev/setup.mjs [part...]`. Runs on Node.js 18 and later without dependencies; a second run takes a moment.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureBuild } from "./setup/build.mjs";
import { ensureDependencies } from "./setup/dependencies.mjs";
import { withLock } from "./setup/lock.mjs";
import { ensureOsPackages } from "./setup/os-packages.mjs";
import { CACHE, toolPath } from "./setup/places.mjs";
import { ensurePulumi } from "./setup/pulumi.mjs";
import { ROOT, SetupError } from "./setup/say.mjs";

/** In the order in which they need each other. */
const PARTS = {
    dependencies: ensureDependencies,
    packages: ensureOsPackages,
    pulumi: ensurePulumi,
    build: ensureBuild,
};

/** Sets up the parts, all when none is named, and gives the PATH to run things with. */
export async function setUp(parts = Object.keys(PARTS)) {
    const unknown = parts.filter((part) => !(part in PARTS));
    if (unknown.length > 0) throw new SetupError(`Set-up has no part "${unknown[0]}": there are ${Object.keys(PARTS).join(", ")}.`);
    const clone = createHash("sha256").update(ROOT).digest("hex").slice(0, 16);
    return await withLock(join(CACHE, "locks", `set-up-${clone}`), async () => {
        let pulumi;
        for (const [name, ensure] of Object.entries(PARTS)) {
            if (!parts.includes(name)) continue;
            const found = await ensure();
            if (name === "pulumi") pulumi = found;
        }
        return toolPath(pulumi);
    });
}

/** Runs a program's main function; a failure the user can mend is its sentence and exit status 1. */
export async function main(action) {
    // An interrupted step's drafts are removed on exit.
    for (const [signal, status] of [
        ["SIGINT", 130],
        ["SIGTERM", 143],
    ]) {
        process.once(signal, () => process.exit(status));
    }
    try {
        await action();
    } catch (error) {
        if (!(error instanceof SetupError)) throw error;
        process.stderr.write(`${error.message}\n`);
        process.exitCode = 1;
    }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
    await main(async () => {
        const parts = process.argv.slice(2);
        await setUp(parts.length === 0 ? undefined : parts);
    });
}
