import { type ErrorCode, ZeroformError } from "../../protocol/errors.ts";
import { ROOT, UNITS } from "../../protocol/layout.ts";
import type { ProbeReport } from "./probe.ts";

const KERNEL_MIN: readonly [number, number] = [5, 10];
const SYSTEMD_MIN = 247;
const ARCHITECTURES = ["x86_64", "aarch64"];

/** Something that a machine must have. */
export interface Requirement {
    readonly what: string;
    /** What the machine has of it, in a few words. */
    readonly found: string;
    /** Why that does not do. */
    readonly unmet?: ZeroformError;
}

/** What a machine must have, in the order in which a user is told. Undefined when it has it all. */
export const unmetRequirement = (report: ProbeReport, node: string): ZeroformError | undefined =>
    requirements(report, node).find(({ unmet }) => unmet)?.unmet;

/** Everything that a machine must have, met or not. */
export const requirements = (report: ProbeReport, node: string): readonly Requirement[] =>
    REQUIREMENTS.map(({ what, found, judge }) => {
        const verdict = judge(report);
        if (verdict === undefined) return { what, found: found(report) };
        const [code, message, hint] = verdict;
        const unmet = new ZeroformError({ code, action: "bootstrap", node, message: `${node} ${message}`, hint });
        return { what, found: found(report), unmet };
    });

type Verdict = readonly [code: ErrorCode, message: string, hint: string] | undefined;

interface Rule {
    readonly what: string;
    readonly found: (report: ProbeReport) => string;
    readonly judge: (report: ProbeReport) => Verdict;
}

const REQUIREMENTS: readonly Rule[] = [
    {
        what: "system",
        found: ({ os }) => os || "unknown",
        judge: ({ os }) =>
            os === "Linux" ? undefined : ["UNSUITABLE", `runs ${os || "an unknown system"}`, "A Node must be a Linux machine."],
    },
    {
        what: "architecture",
        found: ({ arch }) => arch,
        judge: ({ arch, hasSse42 }) => {
            if (!ARCHITECTURES.includes(arch))
                return ["WRONG_ARCHITECTURE", `has the architecture ${arch}`, `Use a machine with ${ARCHITECTURES.join(" or ")}.`];
            if (arch === "x86_64" && !hasSse42)
                return ["WRONG_ARCHITECTURE", "has a processor without SSE4.2", "Use a machine with a processor made since 2008."];
            return undefined;
        },
    },
    {
        what: "systemd",
        found: ({ systemd, init }) => (systemd === undefined ? init || "something else" : String(systemd)),
        judge: ({ systemd, init }) => {
            if (systemd === undefined)
                return [
                    "NO_SYSTEMD",
                    `is not run by systemd but by ${init || "something else"}`,
                    "Use a machine (not an application container) whose init is systemd.",
                ];
            if (systemd < SYSTEMD_MIN)
                return ["UNSUITABLE", `has systemd ${systemd}`, `systemd ${SYSTEMD_MIN} or newer is needed: upgrade the system.`];
            return undefined;
        },
    },
    {
        what: "kernel",
        found: ({ kernel }) => kernel,
        judge: ({ kernel }) =>
            isOlder(kernel)
                ? ["OLD_KERNEL", `has the Linux kernel ${kernel}`, `Linux ${KERNEL_MIN.join(".")} or newer is needed: upgrade the system.`]
                : undefined,
    },
    {
        what: "glibc",
        found: ({ glibc }) => glibc ?? "none",
        judge: ({ glibc }) =>
            glibc === undefined
                ? ["UNSUITABLE", "has no glibc", "Use a distribution with glibc, such as Debian, Ubuntu, Fedora or openSUSE."]
                : undefined,
    },
    {
        what: "cgroup v2",
        found: ({ hasCgroup2 }) => (hasCgroup2 ? "mounted" : "not mounted"),
        judge: ({ hasCgroup2 }) =>
            hasCgroup2
                ? undefined
                : [
                      "UNSUITABLE",
                      "has no cgroup v2 mounted",
                      "Boot it with systemd.unified_cgroup_hierarchy=1, or use a newer distribution.",
                  ],
    },
    {
        what: UNITS,
        found: ({ unitsWritable }) => (unitsWritable ? "writable" : "read-only"),
        judge: ({ unitsWritable }) =>
            unitsWritable ? undefined : ["UNSUITABLE", `has a read-only ${UNITS}`, "The agent keeps its units there: make it writable."],
    },
    {
        what: ROOT,
        found: ({ root }) => root ?? "not tried",
        judge: ({ root }) => {
            if (root === "unwritable") return ["UNSUITABLE", `cannot write to ${ROOT}`, "Make /var/lib writable for root."];
            if (root === "noexec")
                return ["UNSUITABLE", `forbids to execute files in ${ROOT}`, "Mount the file system of /var/lib without noexec."];
            return undefined;
        },
    },
    {
        what: "programs",
        found: ({ missingTools }) => (missingTools.length === 0 ? "all there" : `without ${missingTools.join(", ")}`),
        judge: ({ missingTools }) =>
            missingTools.length > 0
                ? ["UNSUITABLE", `lacks ${missingTools.join(", ")}`, "Install coreutils, gzip and util-linux there."]
                : undefined,
    },
];

const isOlder = (kernel: string): boolean => {
    const [major = 0, minor = 0] = kernel.split(".").map((part) => Number.parseInt(part, 10));
    return major < KERNEL_MIN[0] || (major === KERNEL_MIN[0] && minor < KERNEL_MIN[1]);
};
