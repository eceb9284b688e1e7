import { RUNTIMES as RUNTIMES_DIRECTORY } from "../../protocol/layout.ts";
import { probe } from "./agent-channel.ts";
import type { Connection } from "./connection.ts";
import type { ProbeReport } from "./probe.ts";
import { rootCommand, type Script } from "./root-command.ts";

/** What a machine shows to whoever wants to know whether it will do; nothing of it is required. */
export interface Examination {
    readonly report: ProbeReport;
    /** As /etc/os-release names it. */
    readonly distribution: string | undefined;
    /** How far its clock is ahead of ours; half the round trip is the error. */
    readonly clockAheadMs: number;
    readonly clockErrorMs: number;
    /** cgroup controllers that services may be limited with. */
    readonly controllers: readonly string[];
    readonly packageManager: string | undefined;
    /** `running`, `degraded`, `starting` ... */
    readonly systemState: string;
    /** Content hashes of the runtimes that lie there. */
    readonly runtimes: readonly string[];
    readonly hasLoops: boolean;
}

const EXAMINE: Script = `
    echo "now $(date +%s%3N)";
    echo "distribution $(. /etc/os-release 2>/dev/null; echo "$PRETTY_NAME")";
    echo "controllers $(cat /sys/fs/cgroup/cgroup.controllers 2>/dev/null)";
    for m in apt-get dnf zypper pacman apk; do if command -v $m >/dev/null 2>&1; then echo "manager $m"; break; fi; done;
    echo "state $(systemctl is-system-running 2>/dev/null)";
    for d in ${RUNTIMES_DIRECTORY}/*/; do if [ -x "$d/bun" ]; then echo "runtime $(basename "$d")"; fi; done;
    if [ -e /dev/loop-control ]; then echo "loops yes"; fi`;

const EXAMINE_MS = 30_000;

/** Looks at a machine; changes nothing that stays. */
export const examine = async (connection: Connection, signal: AbortSignal): Promise<Examination> => {
    const report = await probe(connection, { tryWriting: true, signal });
    const said = new Map<string, string[]>();
    const askedMs = Date.now();
    let [nowMs, heardMs] = [Number.NaN, askedMs];
    await connection.run(rootCommand(connection.target, EXAMINE, []), {
        signal,
        timeoutMs: EXAMINE_MS,
        doing: "examining the machine",
        onStdoutLine: (line) => {
            const [key = "", ...words] = line.split(" ");
            if (key === "now") [nowMs, heardMs] = [Number(words[0]), Date.now()];
            said.set(key, [...(said.get(key) ?? []), words.join(" ").trim()]);
        },
    });
    const one = (key: string) => said.get(key)?.[0] || undefined;
    return {
        report,
        distribution: one("distribution"),
        clockAheadMs: Math.round(nowMs - (askedMs + heardMs) / 2),
        clockErrorMs: Math.ceil((heardMs - askedMs) / 2),
        controllers: (one("controllers") ?? "").split(" ").filter((name) => name !== ""),
        packageManager: one("manager"),
        systemState: one("state") ?? "unknown",
        runtimes: said.get("runtime") ?? [],
        hasLoops: one("loops") === "yes",
    };
};
