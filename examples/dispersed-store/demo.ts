// Runs this example on test hosts and proves, step by step, what it is for. `npm run example:dispersed-store`; `-- --keep` leaves it running.
import { randomBytes } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type HostInfo, powerOff, powerOn, up } from "../../dev/hosts/index.ts";
import { machineOf, proveNothingLeft } from "../demo-hosts.ts";
import { note, run, step } from "../demo-stage.ts";
import { demonstrate, stageOf } from "../demonstration.ts";

/** The front end's host, three that hold the shards, and one that stays off until one of those is lost. */
const HOSTS = 5;
const SMALL_FILE_BYTES = 10_000;
/** Beside many small files some that fill stripes. */
const LARGE_FILES_BYTES = [3 * 2 ** 20, 5 * 2 ** 20 + 1];

/** Of the metadata: one on each host of the program. */
const COPIES = 4;
/** Longer than any machine takes to make the lost shards again. */
const HEAL_LIMIT_MS = 120_000;

/** What is looked at of `zeroform zstor files status --json`. */
interface Status {
    readonly owed: number;
    readonly warnings: readonly string[];
    readonly bears?: { readonly groups: number };
    readonly metadata: { readonly replicas: number };
}

const here = dirname(fileURLToPath(import.meta.url));
const repository = join(here, "..", "..");
const stage = stageOf({
    command: "npm run example:dispersed-store",
    about: "A dispersed store over test hosts on this machine: files in it, a host lost for good, all files read, the host replaced and the store healed.",
    prefix: "zsdem",
    folder: here,
    toys: (prefix) => [
        "npx zeroform zstor files status",
        "npx zeroform zstor files ls",
        "npx zeroform status",
        `npx zeroform dev power-off ${prefix}-1`,
    ],
});
const { prefix, stack } = stage;
const [files, back] = [join(stage.work, "files"), join(stage.work, "back")];

await demonstrate(stage, { tell, end });

/** Gives the hosts that the program has at the end. */
async function tell(): Promise<readonly HostInfo[]> {
    const [front, alpha, beta, gamma, delta] = await step(`${HOSTS - 1} hosts on this machine, and a spare one that is off`, async () => {
        const made = (await up({ prefix, count: HOSTS })) as [HostInfo, HostInfo, HostInfo, HostInfo, HostInfo];
        for (const { name, address } of made) note(`${name} at ${address}`);
        await powerOff(made[4].name);
        return made;
    });

    await step("pulumi up: a store of 4 + 2 shards over three hosts, its front end on a fourth", async () => {
        await mkdir(files, { recursive: true });
        await stack(["stack", "init", prefix], { quiet: true });
        await configure(front, { alpha, beta, gamma });
        await stack(["up", "--yes", "--skip-preview"]);
    });

    await step("put a directory of real files into it", async () => {
        await gather();
        const stored = JSON.parse(await shell(`tar c -C '${files}' . | zeroform zstor files import`)) as { objects: number; bytes: number };
        note(`tar c . | zeroform zstor files import: ${stored.objects} files of ${stored.bytes} bytes`);
        await putOne('it\'s an "odd" name!');
        await tellStatus();
        await proveBack();
    });

    await step("a host is switched off for good; everything can be read, and files can be put", async () => {
        await powerOff(gamma.name);
        note(`${gamma.name} is off, and with it a third of all shards and one copy of the metadata`);
        await proveBack();
        await tellStatus();
        await putOne("put while a host is off");
        await proveBack();
    });

    await step("the program names the spare host instead, and pulumi up makes the store whole", async () => {
        await powerOn(delta.name);
        await configure(front, { alpha, beta, delta });
        // What was on the dead host is given up; without that word a host that does not answer stops the run.
        await stack(["up", "--yes", "--skip-preview"], { env: { ZEROFORM_ON_UNREACHABLE: "abandon" } });
        note("zeroform zstor files repair --wait");
        await shell("zeroform zstor files repair --wait");
        await proveWhole();
        await tellStatus();
        await proveBack();
    });

    await step("so it bears the next loss: another host is off, everything can be read, and files can be put", async () => {
        await powerOff(alpha.name);
        note(`${alpha.name} is off`);
        await proveBack();
        await putOne("put while another host is off");
        await tellStatus();
        await powerOn(alpha.name);
    });
    return [front, alpha, beta, delta];
}

async function end(hosts: readonly HostInfo[]): Promise<void> {
    await step("pulumi destroy: nothing is left on the hosts", async () => {
        await stack(["destroy", "--yes", "--skip-preview"]);
        for (const { name } of hosts) await proveNothingLeft(name);
    });
}

async function configure(front: HostInfo, machines: Readonly<Record<string, HostInfo>>): Promise<void> {
    const named = Object.entries(machines).map(([name, host]) => machineOf(name, host));
    const values = { front: machineOf("front", front), machines: named };
    const lines = Object.entries(values).map(([key, value]) => `  dispersed-store:${key}: ${JSON.stringify(value)}\n`);
    await writeFile(stage.config, `config:\n${lines.join("")}`);
}

/** This repository's documentation and some of its sources, and files of random bytes beside them. */
async function gather(): Promise<void> {
    for (const directory of ["docs", "sdk", "engines/zstor"])
        await cp(join(repository, directory), join(files, directory), { recursive: true });
    for (const [index, bytes] of LARGE_FILES_BYTES.entries()) await writeFile(join(files, `large-${index + 1}`), randomBytes(bytes));
}

/** A single file, whose name is what a file may be called. */
async function putOne(name: string): Promise<void> {
    const path = join(files, name);
    await writeFile(path, randomBytes(SMALL_FILE_BYTES));
    await run("zeroform", ["zstor", "files", "put", name, path], { cwd: here, env: stack.environment });
    note(`zeroform zstor files put "${name}": acknowledged`);
}

/** Everything comes back as it was put, byte for byte. */
async function proveBack(): Promise<void> {
    await rm(back, { recursive: true, force: true });
    await mkdir(back);
    await shell(`set -o pipefail; zeroform zstor files export | tar x -C '${back}'`);
    const [wanted, found] = [await contentOf(files), await contentOf(back)];
    for (const [path, bytes] of wanted) if (!found.get(path)?.equals(bytes)) throw new Error(`${path} did not come back as it was put`);
    if (found.size !== wanted.size) throw new Error(`${found.size} files came back of ${wanted.size}`);
    note(`zeroform zstor files export | tar x: ${found.size} files, byte for byte what was put`);
}

async function contentOf(directory: string): Promise<ReadonlyMap<string, Buffer>> {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    return new Map(await Promise.all(paths.map(async (path) => [relative(directory, path), await readFile(path)] as const)));
}

/** Nothing is wrong, nothing is owed, and any machine could be lost again. What answers may still be on its way to be noticed. */
async function proveWhole(): Promise<void> {
    const deadline = Date.now() + HEAL_LIMIT_MS;
    for (;;) {
        const status = JSON.parse(await shell("zeroform zstor files status --json")) as Status;
        const { owed, warnings, bears, metadata } = status;
        if (owed === 0 && warnings.length === 0 && (bears?.groups ?? 0) > 0 && metadata.replicas === COPIES) return;
        if (Date.now() > deadline) throw new Error(`the store is not whole again: ${JSON.stringify(status)}`);
        await sleep(500);
    }
}

/** What the front end says of the store, but for the line of each backend. */
async function tellStatus(): Promise<void> {
    note("zeroform zstor files status:");
    const words = await shell("zeroform zstor files status");
    for (const line of words
        .trim()
        .split("\n")
        .filter((each) => !/^(Backend|Metadata replica) /.test(each)))
        note(`  ${line}`);
}

/** A command line as a user would type it in the folder of the program. */
function shell(line: string): Promise<string> {
    return run("bash", ["-c", line], { cwd: here, env: stack.environment });
}
