// What is run in compiled form: the package as `require("zeroform/provider")` loads it, and the agent's bundle that goes to the nodes.
import { createHash } from "node:crypto";
import {
    chmodSync,
    existsSync,
    lstatSync,
    mkdirSync,
    readdirSync,
    readFileSync,
    readlinkSync,
    renameSync,
    rmSync,
    statSync,
    symlinkSync,
    writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { BIN, toolPath } from "./places.mjs";
import { ROOT, step } from "./say.mjs";

const DIST = join(ROOT, "dist");

/** Each output is made again when the list of its sources with their times and sizes has changed. */
const OUTPUTS = [
    {
        label: "compile the package",
        sources: ["schema", "protocol", "sdk", "provider", "cli", "dev", "package.json", "tsconfig.json", "tsconfig.build.json"],
        proof: "sdk/index.js",
        stamp: ".package-stamp",
        make: compilePackage,
    },
    {
        label: "bundle the agent",
        sources: ["schema", "protocol", "agent", "engines", "package.json"],
        proof: "agent/agent.js",
        stamp: ".agent-stamp",
        make: bundleAgent,
    },
];

export async function ensureBuild() {
    linkPackage();
    for (const { label, sources, proof, stamp, make } of OUTPUTS) {
        const fingerprint = fingerprintOf(sources);
        const file = join(DIST, stamp);
        if (existsSync(join(DIST, proof)) && existsSync(file) && readFileSync(file, "utf8") === fingerprint) continue;
        await make(label);
        writeFileSync(file, fingerprint);
    }
}

/** Types are judged by `npm run check`; here they would only cost time. The old output stays in place until the new one is whole. */
async function compilePackage(label) {
    const draft = join(DIST, `.draft-${process.pid}`);
    mkdirSync(DIST, { recursive: true });
    try {
        await step(label, join(BIN, "tsc"), ["-p", "tsconfig.build.json", "--noCheck", "--outDir", draft], {
            env: { ...process.env, PATH: toolPath() },
            failure: "The package could not be compiled: see tsc's words above",
        });
        chmodSync(join(draft, "cli", "zeroform.js"), 0o755);
        for (const name of readdirSync(draft)) replace(join(draft, name), join(DIST, name), join(DIST, `.old-${process.pid}`));
    } finally {
        rmSync(draft, { recursive: true, force: true });
    }
}

async function bundleAgent(label) {
    const draft = join(DIST, `.agent-${process.pid}.js`);
    mkdirSync(join(DIST, "agent"), { recursive: true });
    try {
        await step(label, join(BIN, "bun"), ["build", "agent/main.ts", "--target=bun", "--outfile", draft], {
            failure: "The agent could not be bundled: see Bun's words above",
        });
        renameSync(draft, join(DIST, "agent", "agent.js"));
    } finally {
        rmSync(draft, { force: true });
    }
}

/** Examples and Pulumi's provider process resolve `zeroform` from the directory they run in, and `npx zeroform` looks beside them. */
const LINKS = [
    ["node_modules/zeroform", ".."],
    ["node_modules/.bin/zeroform", "../zeroform/dist/cli/zeroform.js"],
];

function linkPackage() {
    for (const [path, target] of LINKS) {
        const link = join(ROOT, path);
        const found = lstatSync(link, { throwIfNoEntry: false });
        if (found?.isSymbolicLink() && readlinkSync(link) === target) continue;
        rmSync(link, { recursive: true, force: true });
        symlinkSync(target, link);
    }
}

function replace(from, to, aside) {
    if (existsSync(to)) renameSync(to, aside);
    renameSync(from, to);
    rmSync(aside, { recursive: true, force: true });
}

function fingerprintOf(sources) {
    const digest = createHash("sha256");
    for (const source of sources) addTo(digest, source);
    return digest.digest("hex");
}

function addTo(digest, path) {
    const found = statSync(join(ROOT, path), { throwIfNoEntry: false });
    if (found === undefined) return;
    if (found.isDirectory()) {
        for (const name of readdirSync(join(ROOT, path)).sort()) addTo(digest, join(path, name));
    } else if (!path.endsWith(".test.ts")) {
        digest.update(`${path} ${found.mtimeMs} ${found.size}\n`);
    }
}
