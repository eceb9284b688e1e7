import { ZeroformError } from "../protocol/errors.ts";
import { compareVersions, VERSION } from "../protocol/version.ts";
import { type Examination, examine } from "../provider/node/examine.ts";
import type { Connection, NodeLink } from "../provider/node/pool.ts";
import { requirements } from "../provider/node/requirements.ts";
import { runtimeFor } from "../provider/node/runtimes.ts";
import { type Check, failed, ok, refused, tried, warning } from "./check.ts";
import { counted } from "./text.ts";

/** What a service of ours is limited with, where it can be. */
const CONTROLLERS = ["cpu", "io", "memory", "pids"];
/** Times in events and trash are the node's; a minute confuses people, an hour purges wrongly. */
const CLOCK_OFF_MS = 60_000;
/** Below this an upgrade of the agent has no room. */
const LITTLE_FREE_BYTES = 300 * 2 ** 20;
const MIB = 2 ** 20;
const LOOK_MS = 60_000;

/** What one machine has of what a Node needs. Changes nothing that stays. */
export const checkNode = async (
    name: string,
    connect: () => Promise<Connection>,
    link: () => Promise<NodeLink>,
): Promise<readonly Check[]> => {
    let connection: Connection;
    let examination: Examination;
    try {
        connection = await connect();
        examination = await examine(connection, AbortSignal.timeout(LOOK_MS));
    } catch (thrown) {
        if (thrown instanceof ZeroformError) return [refused("SSH", thrown)];
        throw thrown;
    }
    const { target } = connection;
    const { report } = examination;
    const met = requirements(report, name);
    return [
        ok("SSH", `${target.user} on ${target.address}:${target.port}`),
        ...met.map(({ what, found, unmet }) => (unmet ? refused(what, unmet) : ok(what, found))),
        ...surroundings(examination),
        room(report.freeBytes),
        await tried("agent", () =>
            agent(
                examination,
                met.some(({ unmet }) => unmet),
                link,
            ),
        ),
    ];
};

const surroundings = (found: Examination): readonly Check[] => {
    const { distribution, controllers, packageManager, systemState, clockAheadMs, clockErrorMs, hasLoops } = found;
    const lacking = CONTROLLERS.filter((name) => !controllers.includes(name));
    const seconds = `${(Math.abs(clockAheadMs) / 1_000).toFixed(1)} s`;
    return [
        ok("distribution", distribution ?? "unknown"),
        systemState === "running"
            ? ok("units", "running")
            : warning("units", `systemd is ${systemState}`, "Look at what failed: systemctl --failed"),
        lacking.length === 0
            ? ok("cgroup controllers", controllers.join(", "))
            : warning("cgroup controllers", `without ${lacking.join(", ")}`, "Limits that need these are not kept on this machine."),
        packageManager === "apt-get"
            ? ok("packages", "apt-get")
            : warning(
                  "packages",
                  packageManager === undefined ? "no package manager is known" : `${packageManager}, which the agent does not use`,
                  "Install what resources need yourself; their errors name the packages.",
              ),
        hasLoops
            ? ok("loop devices", "there")
            : warning(
                  "loop devices",
                  "there is no /dev/loop-control",
                  "A ZMount needs them: modprobe loop, or use a machine, not a container.",
              ),
        Math.abs(clockAheadMs) > CLOCK_OFF_MS + clockErrorMs
            ? warning(
                  "clock",
                  `${seconds} ${clockAheadMs > 0 ? "ahead of" : "behind"} this machine's`,
                  "Let one of the two keep time: timedatectl set-ntp true",
              )
            : ok("clock", `within ${((Math.abs(clockAheadMs) + clockErrorMs) / 1_000).toFixed(1)} s of this machine's`),
    ];
};

const room = (freeBytes: number | undefined): Check => {
    const what = "free space";
    if (freeBytes === undefined) return warning(what, "cannot be told", "Look at: df /var/lib");
    const found = `${Math.floor(freeBytes / MIB)} MiB for /var/lib/zeroform`;
    return freeBytes < LITTLE_FREE_BYTES ? warning(what, found, "The agent and its next version take about 250 MiB.") : ok(what, found);
};

const agent = async ({ report, runtimes }: Examination, isUnsuitable: boolean, link: () => Promise<NodeLink>): Promise<Check> => {
    const what = "agent";
    if (report.agent === undefined) {
        if (report.hasTraces)
            return failed(
                what,
                "none, but files of one",
                "Its disk may not be mounted; creating or updating its Node installs the agent again.",
            );
        if (isUnsuitable) return ok(what, "none");
        const runtime = runtimeFor(report.arch);
        const isThere = runtime !== undefined && runtimes.includes(runtime.sha256);
        const brought = runtime === undefined || isThere ? "" : ` with Bun ${runtime.version} (${Math.round(runtime.bytes / MIB)} MiB)`;
        return ok(what, `none; pulumi up would install ${VERSION}${brought}`);
    }
    const open = await link();
    const { agentVersion, store, storeReason } = open.welcome;
    if (store !== "ok")
        return failed(
            what,
            `${agentVersion} does nothing: ${storeReason ?? `its store is ${store}`}`,
            "`zeroform status` says what to do.",
        );
    const { resources } = await open.request("status", { events: 0 });
    const unready = resources.filter(({ state }) => state === "unfinished");
    const found = `${agentVersion}, ${counted(resources.length, "resource")}`;
    const age = compareVersions(agentVersion, VERSION);
    if (unready.length > 0) return warning(what, `${found}, ${unready.length} of them not ready`, "`zeroform status` says why.");
    if (age > 0) return warning(what, `${found}; it is newer than this zeroform ${VERSION}`, "Upgrade the zeroform package.");
    return ok(what, age < 0 ? `${found}; pulumi up upgrades it to ${VERSION}` : found);
};
