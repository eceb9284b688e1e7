import { AGENT_UNIT, AGENTS, CURRENT, LAUNCHER, MACHINE_FILE, ROOT, SOCKET, STORE_FILE, UNITS } from "../../protocol/layout.ts";
import type { Script } from "./root-command.ts";

export const PROBE_MARKER = "zeroform-probe-1\n";
const END = "end";

/** How the launcher tells its version; written by bootstrap. */
export const VERSION_COMMENT = "# zeroform-agent ";

/** What a machine without an answering agent says of itself. */
export interface ProbeReport {
    readonly os: string;
    readonly kernel: string;
    readonly arch: string;
    /** Name of process 1. */
    readonly init: string;
    /** undefined: not the init that runs. */
    readonly systemd: number | undefined;
    readonly glibc: string | undefined;
    readonly hasCgroup2: boolean;
    readonly hasSse42: boolean;
    readonly unitsWritable: boolean;
    /** undefined: neither was tried, as only creating and updating need it. */
    readonly root: "usable" | "unwritable" | "noexec" | undefined;
    readonly freeBytes: number | undefined;
    readonly missingTools: readonly string[];
    /** An agent has left its identity, its store or its unit: it is here, was cut in two, or its disk is not mounted. */
    readonly hasTraces: boolean;
    /** Who the machine is, by what an agent has written on its disk. */
    readonly machine: string | undefined;
    readonly agent: InstalledAgent | undefined;
}

/** An agent that is installed and did not answer. */
export interface InstalledAgent {
    readonly hash: string;
    readonly version: string | undefined;
    /** State of its unit: `active`, `activating`, `failed`, `inactive` ... */
    readonly unit: string;
    /** It has ended with an error of its own and is started again and again: how often by now, and what it said last. */
    readonly falling: { readonly times: number; readonly said: string } | undefined;
    /** The last lines of its log. */
    readonly log: readonly string[];
}

/** Programs that bootstrap runs on the node. */
const TOOLS = ["flock", "gunzip", "mktemp", "nsenter", "sha256sum", "sync", "timeout"];

/**
 * Arguments: `write` to try whether files can be made and run; changes nothing that stays. An agent whose runtime or bundle is gone is none.
 * The trial is a script without an interpreter line: the shell runs it itself, unless the file system forbids to execute.
 */
export const PROBE: Script = `
    echo ${PROBE_MARKER.trim()};
    echo "os $(uname -s)"; echo "kernel $(uname -r)"; echo "arch $(uname -m)";
    echo "init $(cat /proc/1/comm)";
    if [ -d /run/systemd/system ]; then echo "systemd $(systemctl --version | head -n 1)"; fi;
    echo "libc $(getconf GNU_LIBC_VERSION 2>/dev/null)";
    if grep -q " cgroup2 " /proc/mounts; then echo "cgroup2 yes"; fi;
    if grep -q -m 1 sse4_2 /proc/cpuinfo; then echo "sse4_2 yes"; fi;
    if [ -w ${UNITS} ]; then echo "units writable"; fi;
    for tool in ${TOOLS.join(" ")}; do command -v $tool >/dev/null 2>&1 || echo "missing $tool"; done;
    d=${ROOT}; [ -d $d ] || d=/var/lib; [ -d $d ] || d=/var;
    if [ "$1" = write ]; then
        if t=$(mktemp -d $d/.probe.XXXXXX 2>/dev/null) && echo : >$t/x && chmod 700 $t/x; then
            if $t/x 2>/dev/null; then echo "root usable"; else echo "root noexec"; fi;
        else echo "root unwritable"; fi;
        [ -n "$t" ] && rm -rf "$t";
    fi;
    set -- $(df -Pk $d | tail -n 1); echo "free $4";
    for f in ${MACHINE_FILE} ${STORE_FILE} ${UNITS}/${AGENT_UNIT}; do if [ -e $f ]; then echo "trace $f"; fi; done;
    echo "machine $(grep -oE "m[a-z2-9]{16}" ${MACHINE_FILE} 2>/dev/null | head -n 1)";
    set -- $(sed -n "s/^exec //p" ${LAUNCHER} 2>/dev/null);
    if [ -x ${LAUNCHER} ] && [ -x "$1" ] && [ -e "$2" ]; then
        echo "agent $(basename "$(readlink -f ${CURRENT})")";
        echo "version $(sed -n "s/^${VERSION_COMMENT}//p" ${LAUNCHER})";
        echo "unit $(systemctl is-active ${AGENT_UNIT})";
        echo "service $(echo $(systemctl show -p SubState -p Result -p NRestarts ${AGENT_UNIT}))";
        echo "said $(journalctl -q _SYSTEMD_UNIT=${AGENT_UNIT} -n 1 -o cat --no-pager 2>/dev/null)";
        journalctl -q -u ${AGENT_UNIT} -n 5 -o cat --no-pager 2>/dev/null | sed "s/^/log /";
    fi;
    echo ${END}`;

/**
 * Speaks with the agent where there is one, else reports: one command, so that neither outcome costs another round trip. A conversation ends
 * with status 0, or with a signal when the caller is gone; any other status means that there was none, since the agent is silent or damaged.
 * Arguments: session or empty, protocols with commas between, `write` or `look`.
 */
export const GREET_OR_PROBE: Script = `
    if [ -x ${LAUNCHER} ] && [ -S ${SOCKET} ]; then
        if [ -n "$1" ]; then ${LAUNCHER} rpc --session "$1" --protocol "$2"; else ${LAUNCHER} rpc --protocol "$2"; fi;
        case $? in 0 | 129 | 141 | 143) exit;; esac;
    fi;
    shift 2;
    ${PROBE}`;

/** The report of a probe, read behind its marker; undefined when it is cut short. */
export const parseProbe = (text: string): ProbeReport | undefined => {
    const lines = text.split("\n");
    const end = lines.indexOf(END);
    if (end < 0) return undefined;
    const pairs = lines.slice(0, end).map((line): [string, string] => {
        const space = line.indexOf(" ");
        return space < 0 ? [line, ""] : [line.slice(0, space), line.slice(space + 1).trim()];
    });
    const all = (key: string) => pairs.filter(([name]) => name === key).map(([, value]) => value);
    const one = (key: string) => all(key)[0] ?? "";
    const systemd = /^systemd (\d+)/.exec(one("systemd"))?.[1];
    const free = /^\d+$/.test(one("free")) ? Number(one("free")) * 1024 : undefined;
    const root = one("root");
    return {
        os: one("os"),
        kernel: one("kernel"),
        arch: one("arch"),
        init: one("init"),
        systemd: systemd === undefined ? undefined : Number(systemd),
        glibc: /^glibc (\S+)/.exec(one("libc"))?.[1],
        hasCgroup2: one("cgroup2") === "yes",
        hasSse42: one("sse4_2") === "yes",
        unitsWritable: one("units") === "writable",
        root: root === "usable" || root === "unwritable" || root === "noexec" ? root : undefined,
        freeBytes: free,
        missingTools: all("missing"),
        hasTraces: all("trace").length > 0,
        machine: one("machine") || undefined,
        agent:
            one("agent") === ""
                ? undefined
                : {
                      hash: one("agent"),
                      version: one("version") || undefined,
                      unit: one("unit"),
                      falling: fallingIn(one("service"), one("said")),
                      log: all("log"),
                  },
    };
};

/** One that was killed may start yet; one that ended with a status has said why. */
const fallingIn = (service: string, said: string): InstalledAgent["falling"] => {
    const times = /NRestarts=(\d+)/.exec(service)?.[1];
    if (times === undefined || !service.includes("SubState=auto-restart") || !service.includes("Result=exit-code")) return undefined;
    return { times: Number(times), said };
};

/** Where the agent of a content hash lies. */
export const agentDirectory = (hash: string) => `${AGENTS}/${hash}`;
