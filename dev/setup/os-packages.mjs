// Programs of the distribution that test hosts, tests and demo use.
import { existsSync } from "node:fs";
import { findOnPath, machinePath } from "./places.mjs";
import { ask, SetupError, say, step } from "./say.mjs";

/** A program, and the Debian package that brings it. */
const PROGRAMS = [
    ["sshd", "openssh-server"],
    ["ssh", "openssh-client"],
    ["ip", "iproute2"],
    ["mkfs.ext4", "e2fsprogs"],
    ["mkfs.xfs", "xfsprogs"],
    ["mkfs.btrfs", "btrfs-progs"],
    ["unshare", "util-linux"],
    ["losetup", "mount"],
    ["systemctl", "systemd"],
    ["dbus-daemon", "dbus"],
    ["sudo", "sudo"],
    ["redis-cli", "redis-tools"],
    ["openssl", "openssl"],
    ["gzip", "gzip"],
    ["faketime", "faketime"],
    ["zsh", "zsh"],
    ["fish", "fish"],
    ["tcsh", "tcsh"],
];

/** What is no program: a file of the Debian package. */
const FILES = [
    ["/usr/lib/python3/dist-packages/redis/__init__.py", "python3-redis"],
    [`/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu/libisal.so.2`, "libisal2"],
];

export async function ensureOsPackages() {
    if (process.platform !== "linux") {
        throw new SetupError(
            `Tests and demo make test hosts of Linux namespaces, and this is ${process.platform}: run them on a Linux machine; the package itself works from here with any Linux machine reachable over SSH.`,
        );
    }
    const path = `${machinePath()}:/usr/local/sbin:/usr/sbin:/sbin`;
    const isMissing = {
        program: ([program]) => findOnPath(program, path) === undefined,
        file: ([file]) => !existsSync(file),
    };
    const absent = () => [...PROGRAMS.filter(isMissing.program), ...FILES.filter(isMissing.file)];
    const missing = absent().map(([, name]) => name);
    if (missing.length === 0) return;
    const list = missing.join(" ");
    if (findOnPath("apt-get", path) === undefined) {
        throw new SetupError(
            `These packages are missing, by their Debian names: ${list}. Install them with this system's package manager and run this again.`,
        );
    }
    if (process.getuid() !== 0) {
        throw new SetupError(
            `These packages are missing: run \`sudo apt-get install ${list}\`, then this again; test hosts need root too.`,
        );
    }
    await install(missing, path);
    const still = absent().map(([what]) => what);
    if (still.length > 0)
        throw new SetupError(
            `apt-get installed ${list}, yet ${still.join(", ")} cannot be found: see its words with \`apt-get install ${list}\`.`,
        );
}

async function install(names, path) {
    const list = names.join(" ");
    // RUNLEVEL=1 keeps services from being started by their installation: this machine shall not listen because it was set up for tests.
    const env = { ...process.env, PATH: path, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
    const failure = `apt-get could not install ${list}: see its words above, or install them yourself and run this again`;
    const update = () => step("apt-get update", "apt-get", ["update", "-q"], { env, failure });
    const get = () =>
        step(
            `apt-get install ${list}`,
            "apt-get",
            ["install", "-y", "-q", "--no-install-recommends", "-o", "Acquire::Retries=1", ...names],
            {
                env,
                failure,
            },
        );
    if ((await ask("apt-cache", ["show", "--no-all-versions", ...names], { env })) === undefined) {
        await update();
        await get();
    } else {
        // The lists may be older than what the archive still has.
        await get().catch(async () => {
            await update();
            await get();
        });
    }
    if (names.includes("openssh-server")) {
        await ask("systemctl", ["disable", "ssh.service", "ssh.socket"], { env });
        say("openssh-server is there for the test hosts; it is not enabled on this machine");
    }
}
