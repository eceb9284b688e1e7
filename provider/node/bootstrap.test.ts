import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { reach } from "../../schema/on-node.ts";
import { bootstrap } from "./bootstrap.ts";
import type { Connection, Ended, RunOptions } from "./connection.ts";
import type { ProbeReport } from "./probe.ts";
import type { Artifact, Release } from "./release.ts";
import { resolveTarget } from "./target.ts";

const directory = mkdtempSync(join(tmpdir(), "zeroform-bootstrap-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const report: ProbeReport = {
    os: "Linux",
    kernel: "6.1.0",
    arch: "x86_64",
    init: "systemd",
    systemd: 252,
    glibc: "2.36",
    hasCgroup2: true,
    hasSse42: true,
    unitsWritable: true,
    root: "usable",
    freeBytes: 2 ** 40,
    missingTools: [],
    hasTraces: false,
    agent: undefined,
};
const file = join(directory, "file");
writeFileSync(file, "content");
const artifact: Artifact = { path: file, sha256: "00", bytes: 7 };
const release = {
    version: "0.1.0",
    runtime: async () => artifact,
    agent: async () => artifact,
    compressed: async () => ({ path: file, bytes: 7 }),
} as unknown as Release;

/** A machine that ends each step as it is told. */
const machine = (endings: Readonly<Record<string, Partial<Ended>>>): Connection => {
    const run = async (_command: string, { doing, input, onStdoutLine }: RunOptions): Promise<Ended> => {
        const ending = { code: 0, stdout: "", stderr: "", ...endings[doing] };
        if (doing === "preparing the machine" && ending.code === 0) onStdoutLine?.("zeroform-locked");
        if (doing.startsWith("uploading")) onStdoutLine?.("at 0");
        if (input && ending.code === 0) for await (const _ of input);
        return ending;
    };
    const target = resolveTarget(reach.parse({ host: "alpha" }), { HOME: directory });
    return { target, run } as unknown as Connection;
};

it.each<[string, Readonly<Record<string, Partial<Ended>>>, string, RegExp]>([
    ["whose lock is held", { "preparing the machine": { code: 75 } }, "BUSY", /pulumi up again.*fuser -v/],
    ["to which a file arrives damaged", { "uploading the runtime": { code: 65 } }, "AGENT_BROKEN", /check the disk/],
    ["on which a step fails", { "installing the agent": { code: 1, stderr: "no" } }, "AGENT_BROKEN", /journalctl -u zeroform-agent/],
])("a machine %s says what to do", async (_, endings, code, hint) => {
    const work = { signal: new AbortController().signal, progress: () => undefined, moved: () => undefined, hindered: () => undefined };
    await expect(bootstrap(machine(endings), report, release, work)).rejects.toMatchObject({ code, hint: expect.stringMatching(hint) });
});
