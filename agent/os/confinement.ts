import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { ZeroformError } from "../../protocol/errors.ts";
import { ROOT } from "../../protocol/layout.ts";
import { absentAs } from "./files.ts";
import { mountOf, readMounts } from "./mountinfo.ts";
import { ProgramFailure, run } from "./program.ts";

/**
 * What every service of ours can do without: no way to more rights than it starts with. None of it needs a view of the file system of the
 * service's own, so it holds in every container too.
 */
export const WITHOUT_PRIVILEGES = `NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
`;

/** A view of the system of the service's own: nothing can be written, nobody's files, devices and processes are seen. */
export const OWN_VIEW = `ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
ProtectControlGroups=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectHostname=yes
ProtectClock=yes
RestrictNamespaces=yes
`;

/**
 * What one service may take at most. A share of the machine and not a figure, as nobody knows beforehand what a server will index: one that
 * grows without end is slowed down, then started anew alone, and takes neither the machine nor its neighbours with it.
 */
const LIMITS = `TasksMax=256
MemoryHigh=60%
MemoryMax=75%
`;

const CONTROLLERS_FILE = "/sys/fs/cgroup/cgroup.controllers";
const CONTROLLERS_OF_LIMITS = ["memory", "pids"] as const;

/** Controllers of cgroup v2 that services can be limited with on this machine. */
export const controllers = async (): Promise<readonly string[]> =>
    (await absentAs("", () => readFile(CONTROLLERS_FILE, "utf8"))).split(/\s+/).filter((name) => name !== "");

/** Those that this machine does not have, so that systemd cannot keep the limits that need them. */
export const missingControllers = async (): Promise<readonly string[]> => {
    const there = await controllers();
    return CONTROLLERS_OF_LIMITS.filter((controller) => !there.includes(controller));
};

/** systemd's status for a service whose namespaces could not be made. */
const NAMESPACE_STATUS = 226;
const PROBE_MS = 30_000;

let asked: Promise<boolean> | undefined;

/**
 * Whether services can have a view of the system of their own here: a container may forbid it, and a unit that asks for it would not start
 * at all. Tried once, with everything that would be asked for.
 */
export const hasOwnViews = (): Promise<boolean> => {
    asked ??= tryOwnView().catch((failure: unknown) => {
        asked = undefined;
        throw failure;
    });
    return asked;
};

const tryOwnView = async (): Promise<boolean> => {
    // Whoever starts with a copy of all mounts would hold those of others for ever: an unmount here would not reach it.
    if (mountOf(ROOT, await readMounts())?.shared !== true) {
        console.error(`${NO_OWN_VIEW}: mounts are not shared (\`mount --make-rshared /\`)`);
        return false;
    }
    const wishes = `${WITHOUT_PRIVILEGES}${OWN_VIEW}TemporaryFileSystem=/var/lib:ro`.split("\n").flatMap((line) => ["--property", line]);
    const name = `zeroform-probe-${randomBytes(4).toString("hex")}`;
    try {
        await run("systemd-run", ["--wait", "--collect", "--quiet", "--unit", name, ...wishes, "true"], { timeoutMs: PROBE_MS });
        return true;
    } catch (failure) {
        if (!(failure instanceof ProgramFailure)) throw failure;
        if (failure.status !== NAMESPACE_STATUS)
            throw new ZeroformError(
                { code: "FAILED", message: `systemd could not start a service for a trial: ${failure.words}`, retryable: true },
                failure,
            );
        console.error(`${NO_OWN_VIEW}: ${failure.words}`);
        return false;
    }
};

/** What a server of an engine may take of the machine, say, and do. */
export const OF_A_SERVER = `${LIMITS}LogRateLimitIntervalSec=30
LogRateLimitBurst=200
RemoveIPC=yes
CapabilityBoundingSet=
AmbientCapabilities=
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
${WITHOUT_PRIVILEGES}`;

/** What a user is told where services run with less. */
export const NO_OWN_VIEW =
    "this machine does not let systemd give services a view of the file system of their own (a container without nesting?): servers run as their own user and without privileges, and see what that user may read";
