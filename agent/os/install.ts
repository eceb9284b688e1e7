import { existsSync } from "node:fs";
import { chmod, rename, rm, symlink } from "node:fs/promises";
import { connect } from "node:net";
import { basename, dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Welcome } from "../../protocol/api.ts";
import { openClientChannel } from "../../protocol/channel.ts";
import { ZeroformError } from "../../protocol/errors.ts";
import { AGENT_UNIT, AGENTS, CURRENT, LAUNCHER, ROOT, RUNTIMES, SOCKET } from "../../protocol/layout.ts";
import { PROTOCOLS_UNDERSTOOD } from "../../protocol/version.ts";
import { WITHOUT_PRIVILEGES } from "./confinement.ts";
import { fallOf } from "./falls.ts";
import { files, syncDirectory } from "./files.ts";
import { ownDirectory, ownHash, removeUnused } from "./installation.ts";
import { systemd } from "./systemd.ts";
import type { Unit } from "./units.ts";

/**
 * The agent itself. What it starts (mke2fs, systemctl) ends with it; mounts and stores are units of their own. It is root's hand on the
 * machine: it gives up what it never needs, but keeps the machine's own view of mounts and devices, in which it works.
 */
export const AGENT: Unit = {
    name: AGENT_UNIT,
    text: `[Unit]
Description=zeroform: agent
After=local-fs.target
RequiresMountsFor=${ROOT}
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=${LAUNCHER} serve
Environment=BUN_OPTIONS=--smol
Restart=always
RestartSec=1
TimeoutStopSec=20
RuntimeDirectory=zeroform
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
UMask=0022
LimitNOFILE=65536
TasksMax=1024
OOMScoreAdjust=-500
LogRateLimitIntervalSec=30
LogRateLimitBurst=200
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
CapabilityBoundingSet=~CAP_SYS_TIME CAP_WAKE_ALARM CAP_SYS_MODULE CAP_SYS_BOOT CAP_SYS_PACCT CAP_SYSLOG CAP_MAC_ADMIN CAP_MAC_OVERRIDE CAP_BLOCK_SUSPEND
SystemCallFilter=~@clock @cpu-emulation @debug @module @obsolete @reboot @swap
SystemCallErrorNumber=EPERM
${WITHOUT_PRIVILEGES}`,
    wantedBy: "zeroform.target",
};

/** From start to answer an agent takes a fraction of a second; a slow disk and a large store some more. */
const LONGEST_START_MS = 60_000;
const LOOK_MS = 50;
/** Asking systemd costs a process. */
const LOOKS_A_QUESTION = 10;

/** Makes this bundle the agent of the machine and waits until it answers. Can be repeated, and cut off, anywhere. */
export const install = async (say: (doing: string) => void): Promise<void> => {
    const directory = ownDirectory();
    if (dirname(directory) !== AGENTS)
        throw new ZeroformError({
            code: "AGENT_BROKEN",
            message: `an agent is installed from ${AGENTS}/<hash>/, and this one lies in ${directory}`,
            hint: "Let `pulumi up` put it there.",
        });
    await files.makeDirectory(ROOT, 0o755);
    if (!existsSync(`${directory}/zeroform-agent`)) await writeLauncher(directory);
    // Who runs a program without being allowed to read it is closed to others of the same user: servers cannot look into each other.
    if (process.execPath.startsWith(`${RUNTIMES}/`)) await chmod(process.execPath, 0o711);

    say("switching to this agent");
    await rm(`${CURRENT}.new`, { force: true });
    await symlink(directory, `${CURRENT}.new`);
    await rename(`${CURRENT}.new`, CURRENT);
    await syncDirectory(ROOT);

    say("writing units");
    await systemd.install([AGENT]);
    const ran = (await systemd.states()).get(AGENT.name)?.active === "active";
    await systemd.start("zeroform.target");
    if (!ran || (await greeting())?.agentHash !== ownHash()) {
        say("starting the agent");
        await (ran ? systemd.restart(AGENT.name) : systemd.start(AGENT.name));
    }

    say("waiting for the agent");
    await untilAnswering();
    const removed = await removeUnused();
    if (removed.length > 0) say(`removed what nothing uses any more: ${removed.map((path) => basename(path).slice(0, 12)).join(", ")}`);
};

/** Bootstrap brings one; who installs by hand gets the runtime that runs this. */
const writeLauncher = (directory: string): Promise<void> =>
    files.writeText(`${directory}/zeroform-agent`, `#!/bin/sh\nexec ${process.execPath} ${directory}/agent.js "$@"\n`, 0o755);

const untilAnswering = async (): Promise<void> => {
    const until = performance.now() + LONGEST_START_MS;
    let fallen = Number.POSITIVE_INFINITY;
    for (let look = 1; ; look++) {
        const heard = await greeting();
        if (heard?.agentHash === ownHash()) return;
        const fall = look % LOOKS_A_QUESTION === 0 ? await fallOf(AGENT.name) : undefined;
        if (fall && fall.times > fallen)
            throw new ZeroformError({ code: "AGENT_BROKEN", message: `the agent ends as soon as it has started: ${fall.said}` });
        fallen = Math.min(fallen, fall?.times ?? Number.POSITIVE_INFINITY);
        if (performance.now() > until)
            throw new ZeroformError({
                code: "AGENT_BROKEN",
                message: `the agent does not answer on ${SOCKET}: ${(await systemd.lastWords(AGENT.name)) || "it says nothing"}`,
            });
        await sleep(LOOK_MS);
    }
};

/** What the agent that runs now says; undefined: none answers. */
const greeting = (): Promise<Welcome | undefined> =>
    new Promise((resolve) => {
        const socket = connect(SOCKET);
        socket.on("error", () => resolve(undefined));
        socket.on("connect", () => {
            socket.write(`${JSON.stringify({ protocols: PROTOCOLS_UNDERSTOOD })}\n`);
            const channel = openClientChannel(socket, socket);
            const end = (welcome?: Welcome) => {
                resolve(welcome);
                channel.close();
                socket.destroy();
            };
            channel.welcome.then(end, () => end());
        });
    });
