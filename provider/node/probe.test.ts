import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { arch, release } from "node:os";
import { describe, expect, it } from "vitest";
import { MACHINE_FILE } from "../../protocol/layout.ts";
import { PROBE, PROBE_MARKER, type ProbeReport, parseProbe } from "./probe.ts";
import { unmetRequirement } from "./requirements.ts";

const RECORDED = `os Linux
kernel 6.1.0-18-amd64
arch x86_64
init systemd
systemd systemd 252 (252.22-1~deb12u1)
libc glibc 2.36
cgroup2 yes
sse4_2 yes
units writable
root usable
free 20025732
trace /var/lib/zeroform/machine.json
machine mabcdefghjkmnpqrs
agent 4fe6fcf6
version 0.1.0
unit failed
log first line
log last line
end
`;

describe("a probe", () => {
    it("is read", () => {
        expect(parseProbe(RECORDED)).toEqual({
            os: "Linux",
            kernel: "6.1.0-18-amd64",
            arch: "x86_64",
            init: "systemd",
            systemd: 252,
            glibc: "2.36",
            hasCgroup2: true,
            hasSse42: true,
            unitsWritable: true,
            root: "usable",
            freeBytes: 20_025_732 * 1024,
            missingTools: [],
            hasTraces: true,
            machine: "mabcdefghjkmnpqrs",
            agent: { hash: "4fe6fcf6", version: "0.1.0", unit: "failed", falling: undefined, log: ["first line", "last line"] },
        });
    });

    it.each([
        ["SubState=auto-restart Result=exit-code NRestarts=3", { times: 3, said: "the disk is read-only" }],
        ["SubState=running Result=success NRestarts=3", undefined],
        ["SubState=auto-restart Result=signal NRestarts=1", undefined],
        ["", undefined],
    ])("tells an agent that falls again and again from one that may be well in a moment: %s", (service, falling) => {
        const report = parseProbe(RECORDED.replace("unit failed", `unit activating\nservice ${service}\nsaid the disk is read-only`));
        expect(report?.agent).toMatchObject({ unit: "activating", falling });
    });

    it("that is cut short is none", () => expect(parseProbe(RECORDED.replace("end\n", ""))).toBeUndefined());

    it("of this machine tells what node knows of it", () => {
        const said = execFileSync("sh", ["-c", PROBE, "probe", "look"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
        expect(said.startsWith(PROBE_MARKER)).toBe(true);
        const report = parseProbe(said.slice(PROBE_MARKER.length));
        expect(report).toMatchObject({ os: "Linux", kernel: release(), arch: { x64: "x86_64", arm64: "aarch64" }[arch() as string] });
        expect(report).toMatchObject({ root: undefined, missingTools: [], hasTraces: existsSync(MACHINE_FILE) });
        expect(report?.freeBytes).toBeGreaterThan(0);
    });
});

describe("a machine", () => {
    const good = parseProbe(RECORDED) as ProbeReport;
    const refusal = (lack: Partial<ProbeReport>) => unmetRequirement({ ...good, ...lack }, "alpha");

    it("that has everything is taken", () => {
        expect(refusal({})).toBeUndefined();
        expect(refusal({ arch: "aarch64", hasSse42: false, kernel: "5.10.0-1", systemd: 247 })).toBeUndefined();
    });

    const lacks: [Partial<ProbeReport>, string, RegExp][] = [
        [{ os: "FreeBSD" }, "UNSUITABLE", /alpha runs FreeBSD/],
        [{ arch: "riscv64" }, "WRONG_ARCHITECTURE", /architecture riscv64/],
        [{ hasSse42: false }, "WRONG_ARCHITECTURE", /processor without SSE4\.2/],
        [{ systemd: undefined, init: "tini" }, "NO_SYSTEMD", /not run by systemd but by tini/],
        [{ systemd: 241 }, "UNSUITABLE", /systemd 241.*247 or newer/],
        [{ kernel: "5.9.16" }, "OLD_KERNEL", /kernel 5\.9\.16.*5\.10 or newer/],
        [{ kernel: "4.19.0-26-amd64" }, "OLD_KERNEL", /kernel 4\.19/],
        [{ glibc: undefined }, "UNSUITABLE", /no glibc/],
        [{ hasCgroup2: false }, "UNSUITABLE", /no cgroup v2/],
        [{ unitsWritable: false }, "UNSUITABLE", /read-only \/etc\/systemd\/system/],
        [{ root: "unwritable" }, "UNSUITABLE", /cannot write to \/var\/lib\/zeroform/],
        [{ root: "noexec" }, "UNSUITABLE", /forbids to execute/],
        [{ missingTools: ["gunzip", "sha256sum"] }, "UNSUITABLE", /lacks gunzip, sha256sum/],
    ];
    for (const [lack, code, words] of lacks)
        it(`is refused by name: ${JSON.stringify(lack)}`, () => {
            const refused = refusal(lack);
            expect(refused).toMatchObject({ code, retryable: false, node: "alpha" });
            expect(refused?.sentence()).toMatch(words);
        });
});
