import { type ErrorCode, ZeroformError } from "../../protocol/errors.ts";
import { ROOT, UNITS } from "../../protocol/layout.ts";
import type { ProbeReport } from "./probe.ts";

const KERNEL_MIN: readonly [number, number] = [5, 10];
const SYSTEMD_MIN = 247;
const ARCHITECTURES = ["x86_64", "aarch64"];

/** What a machine must have, in the order in which a user is told. Undefined when it has it all. */
export const unmetRequirement = (report: ProbeReport, node: string): ZeroformError | undefined => {
    const refuse = (code: ErrorCode, message: string, hint: string) =>
        new ZeroformError({ code, action: "bootstrap", node, message: `${node} ${message}`, hint });
    if (report.os !== "Linux") return refuse("UNSUITABLE", `runs ${report.os || "an unknown system"}`, "A Node must be a Linux machine.");
    if (!ARCHITECTURES.includes(report.arch))
        return refuse("WRONG_ARCHITECTURE", `has the architecture ${report.arch}`, `Use a machine with ${ARCHITECTURES.join(" or ")}.`);
    if (report.arch === "x86_64" && !report.hasSse42)
        return refuse("WRONG_ARCHITECTURE", "has a processor without SSE4.2", "Use a machine with a processor made since 2008.");
    if (report.systemd === undefined)
        return refuse(
            "NO_SYSTEMD",
            `is not run by systemd but by ${report.init || "something else"}`,
            "Use a machine (not an application container) whose init is systemd.",
        );
    if (report.systemd < SYSTEMD_MIN)
        return refuse("UNSUITABLE", `has systemd ${report.systemd}`, `systemd ${SYSTEMD_MIN} or newer is needed: upgrade the system.`);
    if (isOlder(report.kernel))
        return refuse(
            "OLD_KERNEL",
            `has the Linux kernel ${report.kernel}`,
            `Linux ${KERNEL_MIN.join(".")} or newer is needed: upgrade the system.`,
        );
    if (report.glibc === undefined)
        return refuse("UNSUITABLE", "has no glibc", "Use a distribution with glibc, such as Debian, Ubuntu, Fedora or openSUSE.");
    if (!report.hasCgroup2)
        return refuse(
            "UNSUITABLE",
            "has no cgroup v2 mounted",
            "Boot it with systemd.unified_cgroup_hierarchy=1, or use a newer distribution.",
        );
    if (!report.unitsWritable)
        return refuse("UNSUITABLE", `has a read-only ${UNITS}`, "The agent keeps its units there: make it writable.");
    if (report.root === "unwritable") return refuse("UNSUITABLE", `cannot write to ${ROOT}`, "Make /var/lib writable for root.");
    if (report.root === "noexec")
        return refuse("UNSUITABLE", `forbids to execute files in ${ROOT}`, "Mount the file system of /var/lib without noexec.");
    if (report.missingTools.length > 0)
        return refuse("UNSUITABLE", `lacks ${report.missingTools.join(", ")}`, "Install coreutils, gzip and util-linux there.");
    return undefined;
};

const isOlder = (kernel: string): boolean => {
    const [major = 0, minor = 0] = kernel.split(".").map((part) => Number.parseInt(part, 10));
    return major < KERNEL_MIN[0] || (major === KERNEL_MIN[0] && minor < KERNEL_MIN[1]);
};
