import { readFile } from "node:fs/promises";
import { DevError } from "../dev-error.ts";
import { run } from "./command.ts";

/** The tools that hosts are made with, and the Debian package each comes from. */
const TOOLS = [
    ["unshare", "util-linux"],
    ["nsenter", "util-linux"],
    ["losetup", "util-linux"],
    ["flock", "util-linux"],
    ["ip", "iproute2"],
    ["mkfs.ext4", "e2fsprogs"],
    ["sshd", "openssh-server"],
    ["ssh", "openssh-client"],
    ["ssh-keygen", "openssh-client"],
    ["systemctl", "systemd"],
    ["dbus-daemon", "dbus"],
    ["sudo", "sudo"],
] as const;

const ALTERNATIVE = "or give the examples any Linux machine that is reachable over SSH";

/** Refuses in one sentence where test hosts cannot be made, and says what can be used instead. Gives the cgroup v2 mount point. */
export async function requireMachine(): Promise<string> {
    if (process.platform !== "linux") {
        throw new DevError(`Test hosts are made of Linux namespaces and this is ${process.platform}: run them on Linux, ${ALTERNATIVE}.`);
    }
    if (process.getuid?.() !== 0) {
        throw new DevError(`Test hosts need root to make namespaces, mounts and a bridge: run this with sudo, ${ALTERNATIVE}.`);
    }
    const script = TOOLS.map(([tool, name]) => `command -v ${tool} >/dev/null || echo ${name}`).join("\n");
    const path = `${process.env.PATH ?? ""}:/usr/sbin:/sbin:/usr/bin:/bin`;
    const missing = new Set((await run("sh", ["-c", script], { env: { PATH: path } })).stdout.split("\n").filter(Boolean));
    if (missing.size > 0) {
        throw new DevError(
            `Test hosts need packages that are not installed: run \`apt-get install ${[...missing].join(" ")}\` (\`npm run setup\` does it).`,
        );
    }
    return await cgroupRoot();
}

/** Where the cgroup v2 tree is mounted: alone, or beside v1 hierarchies. */
export async function cgroupRoot(): Promise<string> {
    const mounts = await readFile("/proc/self/mountinfo", "utf8");
    for (const line of mounts.split("\n")) {
        const [mount, filesystem] = line.split(" - ");
        if (filesystem?.startsWith("cgroup2 ")) return mount?.split(" ")[4] ?? "/sys/fs/cgroup";
    }
    throw new DevError(
        `No cgroup v2 tree is mounted on this machine, which systemd in a test host needs: mount one on /sys/fs/cgroup/unified, ${ALTERNATIVE}.`,
    );
}
