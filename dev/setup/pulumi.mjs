// The Pulumi CLI with its Node.js language host: the machine's own, else one built from Go modules once and cached.
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withLock } from "./lock.mjs";
import { findOnPath, machinePath, TOOLS } from "./places.mjs";
import { ask, ROOT, SetupError, say, step } from "./say.mjs";

const MINIMUM = [3, 200];
const VERSION = "3.259.0";
const GO_MINIMUM = [1, 25, 11];

const TOOL = {
    cli: {
        label: `build the Pulumi CLI ${VERSION} from its Go modules (minutes, once)`,
        module: "dev/tools/pulumi",
        source: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        flags: `-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${VERSION}`,
        output: "pulumi",
    },
    host: {
        label: "build Pulumi's Node.js language host from its Go modules",
        module: "dev/tools/pulumi-language-nodejs",
        source: "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs",
        flags: "-s -w",
        output: "pulumi-language-nodejs-host",
    },
};

/** This older host gets no runtime.options from the newer CLI, so its wrapper says what examples ask for in their Pulumi.yaml. */
const HOST_WRAPPER = `#!/bin/sh
exec "$(dirname "$0")/pulumi-language-nodejs-host" -typescript=false "-nodeargs=--import tsx" "$@"
`;

const PROVIDER_SCRIPT = "pulumi-resource-pulumi-nodejs";

/** Gives the directory with the programs. */
export async function ensurePulumi() {
    const own = await machinePulumi();
    if (own !== undefined) return own;
    const bin = join(TOOLS, `pulumi-${VERSION}`, "bin");
    if (!isComplete(bin)) {
        await withLock(join(TOOLS, "pulumi.lock"), async () => {
            if (!isComplete(bin)) await build(join(TOOLS, `pulumi-${VERSION}`));
        });
    }
    return bin;
}

/** An official release brings both programs. */
async function machinePulumi() {
    const directory = findOnPath("pulumi");
    if (directory === undefined || findOnPath("pulumi-language-nodejs") === undefined) return undefined;
    const env = { ...process.env, PATH: machinePath(), PULUMI_SKIP_UPDATE_CHECK: "true" };
    const version = await ask(join(directory, "pulumi"), ["version"], { env });
    return version !== undefined && isAtLeast(version, MINIMUM) ? directory : undefined;
}

function isComplete(bin) {
    return ["pulumi", "pulumi-language-nodejs", TOOL.host.output, PROVIDER_SCRIPT].every((name) => existsSync(join(bin, name)));
}

/** Into a directory of its own first: an interrupted build leaves nothing that looks finished. */
async function build(home) {
    const go = await findGo();
    removeLeftovers();
    const draft = mkdtempSync(`${home}.draft-`);
    const clean = () => rmSync(draft, { recursive: true, force: true });
    process.once("exit", clean);
    try {
        const bin = join(draft, "bin");
        mkdirSync(bin);
        await compile(go, TOOL.host, bin);
        await compile(go, TOOL.cli, bin);
        writeFileSync(join(bin, "pulumi-language-nodejs"), HOST_WRAPPER);
        copyFileSync(join(ROOT, "node_modules/@pulumi/pulumi", PROVIDER_SCRIPT), join(bin, PROVIDER_SCRIPT));
        for (const name of readdirSync(bin)) chmodSync(join(bin, name), 0o755);
        chmodSync(draft, 0o755);
        rmSync(home, { recursive: true, force: true });
        renameSync(draft, home);
        say(`the Pulumi CLI ${VERSION} is in ${join(home, "bin")}`);
    } finally {
        clean();
        process.removeListener("exit", clean);
    }
}

/** Drafts of runs that were killed: the lock says that nobody works on one now. */
function removeLeftovers() {
    for (const name of readdirSync(TOOLS)) {
        if (name.includes(".draft-")) rmSync(join(TOOLS, name), { recursive: true, force: true });
    }
}

async function compile(go, { label, module, source, flags, output }, bin) {
    const env = { ...process.env, PATH: machinePath(), CGO_ENABLED: "0" };
    const args = [
        "build",
        "-v",
        "-trimpath",
        "-buildvcs=false",
        "-tags",
        "osusergo,grpcnotrace",
        "-ldflags",
        flags,
        "-o",
        join(bin, output),
        source,
    ];
    await step(label, go, args, {
        cwd: join(ROOT, module),
        env,
        detail: describe,
        failure: `The Pulumi CLI could not be built: see Go's words above; it needs a Go module proxy and 4 GB of disk for Go's caches, or install Pulumi ${MINIMUM.join(".")} or later yourself`,
    });
}

/** What `go build -v` says so far: downloads, then the package it is at. */
function describe(output) {
    const lines = output.trimEnd().split("\n").filter(Boolean);
    const downloads = lines.filter((line) => line.startsWith("go: downloading")).length;
    const last = lines.at(-1);
    if (last === undefined) return "reading what is there";
    if (last.startsWith("go: downloading")) return `${downloads} modules downloaded`;
    return `${lines.length - downloads} packages compiled, now ${last}`;
}

/** Go by PATH, else where its own installer and distributions put it. */
export async function findGo(elsewhere = "/usr/local/go/bin:/usr/lib/go/bin") {
    const directory = findOnPath("go") ?? findOnPath("go", elsewhere);
    const way = `install Go ${GO_MINIMUM.join(".")} or later, or the Pulumi CLI ${MINIMUM.join(".")} or later, and run this again`;
    if (directory === undefined) throw new SetupError(`There is no Pulumi CLI on PATH and no Go to build it with: ${way}.`);
    const go = join(directory, "go");
    const version = (await ask(go, ["env", "GOVERSION"], { cwd: join(ROOT, TOOL.cli.module) })) ?? "";
    if (!isAtLeast(version, GO_MINIMUM))
        throw new SetupError(`There is no Pulumi CLI on PATH and ${go} is ${version || "broken"}: ${way}.`);
    return go;
}

function isAtLeast(version, minimum) {
    const numbers = (/\d+(\.\d+)*/.exec(version)?.[0] ?? "0").split(".").map(Number);
    for (const [index, least] of minimum.entries()) {
        const number = numbers[index] ?? 0;
        if (number !== least) return number > least;
    }
    return true;
}
