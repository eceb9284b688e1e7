import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { DevError } from "../dev-error.ts";
import { FIRST, LAUNCHER, SECOND } from "./boot-script.ts";
import { initPid, killCgroup, makeCgroup } from "./cgroup.ts";
import { type CommandOptions, type CommandResult, run } from "./command.ts";
import { shortageOfWatches } from "./inotify.ts";
import { detachLoops, loopsOn } from "./loops.ts";
import { addressOf, connect, disconnect, gatewayOf } from "./network.ts";
import { BASE, type HostPlaces, type SetPlaces } from "./places.ts";

const BOOT_WAIT_MS = 60_000;
const POLL_MS = 10;

/** The environment of a root login; the caller's own would make hosts behave differently from one developer to the next. */
const ENVIRONMENT = {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: "/root",
    USER: "root",
    LOGNAME: "root",
    SHELL: "/bin/bash",
    LANG: "C.UTF-8",
} as const;

/** Starts the host and waits until its systemd has started all it should, sshd included. */
export async function switchOn(set: SetPlaces, place: HostPlaces, cgroupRoot: string, network: number, cut: boolean): Promise<number> {
    await switchOff(place);
    await makeCgroup(place, cgroupRoot);
    const log = await open(place.bootLog, "w");
    const launcher = spawn("sh", ["-c", LAUNCHER], {
        cwd: "/",
        detached: true,
        stdio: ["pipe", log.fd, log.fd],
        env: {
            PATH: ENVIRONMENT.PATH,
            FIRST,
            SECOND,
            CGROUP: place.cgroup,
            ADDRESS: addressOf(network, place.number),
            GATEWAY: gatewayOf(network),
            UPPER: place.upper,
            WORK: place.work,
            ROOT: place.root,
            IMAGE: place.image,
            DEVICES: set.devices,
            BASE,
        },
    });
    await once(launcher, "spawn");
    await log.close();
    const go = launcher.stdin;
    if (go === null) throw new Error("spawned with a pipe, yet without one");
    go.on("error", () => undefined);
    launcher.unref();
    try {
        const pid = await until(() => initPid(place), "its first process to appear", place);
        await connect(set, place, network, pid, cut);
        go.end("go\n");
        await untilRunning(place, pid);
        return pid;
    } catch (error) {
        go.destroy();
        await switchOff(place);
        throw error;
    }
}

/** Starts the host unless it runs already; one that a killed run of this tool left half started is waited for or started again. */
export async function ensureOn(set: SetPlaces, place: HostPlaces, cgroupRoot: string, network: number, cut: boolean): Promise<void> {
    const pid = await initPid(place);
    if (pid !== undefined && (await isSystemd(pid))) await untilRunning(place, pid);
    else await switchOn(set, place, cgroupRoot, network, cut);
}

/** As a power cut: everything in the host dies at once. Files stay. Also clears what a crash of ours left of the host. */
export async function switchOff(place: HostPlaces): Promise<void> {
    const pid = await initPid(place);
    const loops = await loopsOn(place.image, pid);
    await killCgroup(place);
    await disconnect(place);
    await detachLoops(place.image, loops);
}

/** Runs a command as root in the host by its namespaces, so also while it is cut off or its sshd is broken. */
export async function enter(pid: number, argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const namespaces = ["-t", String(pid), "-m", "-p", "-u", "-i", "-n", "-C", "-r", "-w"];
    return await run("nsenter", [...namespaces, ...argv], { env: ENVIRONMENT, keepsLocks: false, ...options });
}

/** `is-system-running --wait` returns when the start-up is done; before systemd listens it fails and is asked again. */
async function untilRunning(place: HostPlaces, pid: number): Promise<void> {
    const state = await until(
        async () => {
            if ((await initPid(place)) === undefined)
                throw new DevError(
                    `The test host ${place.name} died while it started${await lastWords(place)}${await shortageOfWatches()}.`,
                );
            // Before that it is a shell that still sees the machine's own root, and the answer would be the machine's.
            if (!(await isSystemd(pid))) return undefined;
            const answer = await enter(pid, ["systemctl", "is-system-running", "--wait"], { timeoutMs: BOOT_WAIT_MS });
            const word = answer.stdout.trim();
            return word === "running" || word === "degraded" ? word : undefined;
        },
        "systemd to finish its start-up",
        place,
    );
    if (state === "running") return;
    const failed = await enter(pid, ["systemctl", "list-units", "--failed", "--plain", "--no-legend"]);
    const units = failed.stdout.split("\n").flatMap((line) => line.split(" ")[0] || []);
    if (units.includes("ssh.service")) {
        throw new DevError(
            `The test host ${place.name} started without sshd: see \`journalctl -u ssh\` in it (${units.join(", ")} failed).`,
        );
    }
}

async function lastWords(place: HostPlaces): Promise<string> {
    const line = (await readFile(place.bootLog, "utf8").catch(() => "")).trimEnd().split("\n").at(-1) ?? "";
    return line === "" ? "" : `; its last words were: ${line.replace(/\.$/, "")}`;
}

async function isSystemd(pid: number): Promise<boolean> {
    return (await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")).trim() === "systemd";
}

async function until<T>(probe: () => Promise<T | undefined>, what: string, place: HostPlaces): Promise<T> {
    const deadline = Date.now() + BOOT_WAIT_MS;
    for (;;) {
        const found = await probe();
        if (found !== undefined) return found;
        if (Date.now() > deadline) {
            throw new DevError(
                `Waited ${BOOT_WAIT_MS / 1000} s in vain for the test host ${place.name}: for ${what}${await lastWords(place)}${await shortageOfWatches()}.`,
            );
        }
        await sleep(POLL_MS);
    }
}
