import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { reach } from "../../schema/on-node.ts";
import { unwatchedWork } from "../../test/agent/unwatched-work.ts";
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
    machine: undefined,
    agent: undefined,
};
const file = join(directory, "file");
writeFileSync(file, "content");
const artifact: Artifact = { path: file, sha256: "00", bytes: 7 };
/** Its gzip file of everything is `packed`. */
const releaseWith = (packed: string, forgotten: () => void = () => undefined) =>
    ({
        version: "0.1.0",
        runtime: async () => artifact,
        agent: async () => artifact,
        compressed: async () => ({ path: packed, bytes: 7 }),
        forgetCompressed: async () => forgotten(),
    }) as unknown as Release;
const release = releaseWith(file);
const work = unwatchedWork();

/** A machine that ends each step as it is told; where it is told several endings, one after the other. */
const machine = (endings: Readonly<Record<string, Partial<Ended> | Partial<Ended>[]>>, said: readonly string[] = []): Connection => {
    const run = async (_command: string, { doing, input, onStdoutLine }: RunOptions): Promise<Ended> => {
        const told = endings[doing];
        const ending = { code: 0, stdout: "", stderr: "", ...(Array.isArray(told) ? told.shift() : told) };
        if (doing === "preparing the machine" && ending.code === 0) for (const line of [...said, "zeroform-locked"]) onStdoutLine?.(line);
        if (doing.startsWith("uploading")) onStdoutLine?.("at 0");
        if (input && ending.code === 0) for await (const _ of input);
        return ending;
    };
    const target = resolveTarget(reach.parse({ host: "alpha" }), { HOME: directory });
    return { target, run } as unknown as Connection;
};

it.each<[string, Readonly<Record<string, Partial<Ended>>>, string, RegExp]>([
    ["whose lock is held", { "preparing the machine": { code: 75 } }, "BUSY", /pulumi up again.*fuser -v/],
    [
        "to which a file arrives damaged",
        { "uploading the runtime": { code: 65 } },
        "AGENT_BROKEN",
        /check the disk.*of that machine and of this one/,
    ],
    ["that breaks a step off because it shuts down", { "uploading the runtime": { code: 143 } }, "SSH_LOST", /journalctl -k/],
    ["that breaks a step off without a status", { "installing the agent": { code: undefined } }, "SSH_LOST", /journalctl -k/],
    ["on which a step fails", { "installing the agent": { code: 1, stderr: "no" } }, "AGENT_BROKEN", /journalctl -u zeroform-agent/],
])("a machine %s says what to do", async (_, endings, code, hint) => {
    await expect(bootstrap(machine(endings), report, release, work)).rejects.toMatchObject({ code, hint: expect.stringMatching(hint) });
});

it("what was uploaded before a connection broke is not counted against the room a second time", async () => {
    const mib = 2 ** 20;
    const large = {
        ...release,
        runtime: async () => ({ ...artifact, bytes: 100 * mib }),
        agent: async () => ({ ...artifact, bytes: mib }),
    };
    // 101 MiB, 60 for the packed one and some for the agent's work.
    const free = { ...report, freeBytes: 150 * mib };
    const attempt = (said: readonly string[]) => bootstrap(machine({}, said), free, large as unknown as Release, work);
    await expect(attempt([])).rejects.toMatchObject({ code: "DISK_FULL" });
    const begun = `begun ${50 * mib} /var/lib/zeroform/runtimes/00/.part.7`;
    await attempt([begun, begun]);
});

it("a file that arrives damaged once is packed afresh and sent again", async () => {
    let forgotten = 0;
    const damagedOnce = machine({ "uploading the runtime": [{ code: 65 }] });
    await bootstrap(
        damagedOnce,
        report,
        releaseWith(file, () => forgotten++),
        work,
    );
    expect(forgotten).toBe(1);
});

it("a disk that fills up while a file is unpacked is not taken for damage", async () => {
    const full = machine({ "uploading the runtime": { code: 65, stderr: "gzip: stdout: No space left on device" } });
    await expect(bootstrap(full, report, release, work)).rejects.toMatchObject({ code: "DISK_FULL" });
});

it("a packed file that cannot be read is named, and not the machine", async () => {
    const short = join(directory, "short");
    writeFileSync(short, "");
    const { run, target } = machine({});
    // As a command does whose input breaks off.
    const breaking = {
        target,
        run: (...given: Parameters<typeof run>) => run(...given).catch(() => ({ code: 1, stdout: "", stderr: "" })),
    };
    await expect(bootstrap(breaking as Connection, report, releaseWith(short), work)).rejects.toThrow("the packed file has become shorter");
});

it("a lock that the machine has taken back in the middle of an upload ends the bootstrap before it installs", async () => {
    const steps: string[] = [];
    const { run, target } = machine({});
    const stalled = async (command: string, options: RunOptions): Promise<Ended> => {
        steps.push(options.doing);
        if (options.doing !== "preparing the machine") return run(command, options);
        options.onStdoutLine?.("zeroform-locked");
        return { code: 0, stdout: "", stderr: "" };
    };
    await expect(bootstrap({ target, run: stalled } as unknown as Connection, report, release, work)).rejects.toMatchObject({
        code: "BUSY",
        retryable: true,
    });
    expect(steps).toEqual(["preparing the machine", "uploading the runtime"]);
});
