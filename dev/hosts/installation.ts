import { randomBytes } from "node:crypto";
import { chmod, chown, mkdir, readdir, readFile, rm, symlink, truncate, unlink, writeFile } from "node:fs/promises";
import { DevError } from "../dev-error.ts";
import { must, run } from "./command.ts";
import { gatewayOf } from "./network.ts";
import { BASE, type HostPlaces, type SetPlaces } from "./places.ts";
import { switchOff } from "./power.ts";
import { type HostRecord, writeRecord } from "./records.ts";

const LOGIN_SCRIPTS = [".bashrc", ".bash_profile", ".profile", ".zshenv"] as const;

/** Units that make no sense in a namespace, would touch the machine's kernel settings, or wait for udev, which is not there. */
const MASKED_UNITS = [
    "systemd-udevd.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-udev-trigger.service",
    "systemd-udev-settle.service",
    "systemd-hwdb-update.service",
    "systemd-modules-load.service",
    "systemd-sysctl.service",
    "systemd-binfmt.service",
    "systemd-remount-fs.service",
    "systemd-random-seed.service",
    "systemd-tmpfiles-setup-dev.service",
    "systemd-machine-id-commit.service",
    "systemd-firstboot.service",
    "systemd-update-done.service",
    "systemd-timesyncd.service",
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-resolved.service",
    "systemd-logind.service",
    "kmod-static-nodes.service",
    "ldconfig.service",
    "getty.target",
    "console-getty.service",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "sys-fs-fuse-connections.mount",
    "proc-sys-fs-binfmt_misc.automount",
] as const;

/** Accounts beside root, for what needs an unprivileged login: with and without sudo. High numbers, out of the way of the machine's own. */
const ACCOUNTS = [
    { name: "dev", id: 61_001 },
    { name: "guest", id: 61_002 },
] as const;

const SSHD_CONFIG = `HostKey /etc/ssh/ssh_host_ed25519_key
HostKey /etc/ssh/ssh_host_ecdsa_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM yes
PrintMotd no
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
`;

/**
 * Installs a new Linux on the host: a fresh layer over the machine's root, its own machine id and host keys, a blank data disk. What was
 * there is switched off and erased. The record is written last: a host without one is the leftover of a crash.
 */
export async function install(
    set: SetPlaces,
    place: HostPlaces,
    network: number,
    diskBytes: number,
    keepHostKey: boolean,
): Promise<HostRecord> {
    await switchOff(place);
    const keys = keepHostKey ? await savedHostKeys(place) : [];
    await erase(place);
    for (const directory of [place.upper, place.work, place.root]) await mkdir(directory, { recursive: true });
    await makeDisk(place, diskBytes);
    const layer = `lowerdir=/,upperdir=${place.upper},workdir=${place.work}`;
    const mounted = await run("mount", ["-t", "overlay", "overlay", "-o", layer, place.root]);
    if (mounted.code !== 0) {
        throw new DevError(
            `The root of ${place.name} could not be laid over the machine's own, as ${BASE} is itself on an overlay or a file system that cannot hold one: set ZEROFORM_DEV_DIR to a directory on ext4 or xfs.`,
        );
    }
    let hostKey: string;
    try {
        await quietUnits(place.root);
        await writeIdentity(place, network);
        await writeAccounts(set, place.root);
        hostKey = await writeHostKeys(place, keys);
    } finally {
        await must("umount", [place.root]);
    }
    const record: HostRecord = { diskBytes, hostKey, cut: false };
    await writeRecord(place.record, record);
    return record;
}

/** Removes the host's files. The agent makes mount points immutable, which has to be undone first. */
export async function erase(place: HostPlaces): Promise<void> {
    await run("umount", [place.root]);
    try {
        await rm(place.directory, { recursive: true, force: true });
    } catch {
        await run("chattr", ["-R", "-f", "-i", "-a", place.upper]);
        await rm(place.directory, { recursive: true, force: true });
    }
}

/** Sparse, so that a set costs what is written to it. Without a journal written out up front mkfs takes milliseconds. */
async function makeDisk(place: HostPlaces, diskBytes: number): Promise<void> {
    await writeFile(place.image, "");
    await truncate(place.image, diskBytes);
    await must("mkfs.ext4", ["-q", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", "-L", "zeroform", place.image]);
}

/** Otherwise whatever the developer's machine runs (databases ...) would start in each host too. */
async function quietUnits(root: string): Promise<void> {
    const units = `${root}/etc/systemd/system`;
    for (const entry of await readdir(units)) {
        if (/\.(wants|requires)$/.test(entry) || entry.startsWith("zeroform")) await rm(`${units}/${entry}`, { recursive: true });
    }
    for (const unit of MASKED_UNITS) await link("/dev/null", `${units}/${unit}`);
    await mkdir(`${units}/multi-user.target.wants`);
    await link("/lib/systemd/system/ssh.service", `${units}/multi-user.target.wants/ssh.service`);
    await link("/lib/systemd/system/multi-user.target", `${units}/default.target`);
    await writeFile(`${root}/etc/fstab`, "");
    // The distribution enables timers (package lists, scrubbing) below /lib; the target itself stays for units of ours.
    for (const timer of await readdir(`${root}/usr/lib/systemd/system/timers.target.wants`).catch(() => [])) {
        await link("/dev/null", `${units}/${timer}`);
    }
}

async function writeIdentity(place: HostPlaces, network: number): Promise<void> {
    await writeFile(`${place.root}/etc/machine-id`, `${randomBytes(16).toString("hex")}\n`);
    await link("/etc/machine-id", `${place.root}/var/lib/dbus/machine-id`);
    await writeFile(`${place.root}/etc/hostname`, `${place.name}\n`);
    await writeFile(`${place.root}/etc/hosts`, `127.0.0.1 localhost\n127.0.1.1 ${place.name}\n${gatewayOf(network)} machine\n`);
    for (const directory of ["var/log/journal", "var/lib/zeroform", "etc/zeroform"]) {
        await rm(`${place.root}/${directory}`, { recursive: true, force: true });
    }
    // A journal that survives the power cycle, as on a real machine.
    await mkdir(`${place.root}/var/log/journal`);
    await mkdir(`${place.root}/var/lib/zeroform`);
    await mkdir(`${place.root}${BASE}`, { recursive: true });
}

async function writeAccounts(set: SetPlaces, root: string): Promise<void> {
    const names = ACCOUNTS.map((account) => account.name);
    const add = async (file: string, line: (account: (typeof ACCOUNTS)[number]) => string) => {
        const kept = (await readFile(`${root}/etc/${file}`, "utf8"))
            .split("\n")
            .filter((old) => old !== "" && !names.some((name) => old.startsWith(`${name}:`)));
        await writeFile(`${root}/etc/${file}`, `${[...kept, ...ACCOUNTS.map(line)].join("\n")}\n`);
    };
    await add("passwd", ({ name, id }) => `${name}:x:${id}:${id}::/home/${name}:/bin/bash`);
    await add("group", ({ name, id }) => `${name}:x:${id}:`);
    // "*": no password will do, yet the account is not locked, which sshd would refuse.
    await add("shadow", ({ name }) => `${name}:*:19000:0:99999:7:::`);
    const publicKey = await readFile(`${set.identityFile}.pub`, "utf8");
    await authorize(`${root}/root`, publicKey, 0);
    // What the machine's owner runs at each login (version managers ...) would run in each host too.
    for (const script of LOGIN_SCRIPTS) await writeFile(`${root}/root/${script}`, "");
    for (const { name, id } of ACCOUNTS) {
        const home = `${root}/home/${name}`;
        await rm(home, { recursive: true, force: true });
        await mkdir(home, { mode: 0o755 });
        await chown(home, id, id);
        await authorize(home, publicKey, id);
    }
    await writeFile(`${root}/etc/sudoers.d/zeroform-dev`, "dev ALL=(ALL) NOPASSWD: ALL\n", { mode: 0o440 });
}

async function authorize(home: string, publicKey: string, id: number): Promise<void> {
    await rm(`${home}/.ssh`, { recursive: true, force: true });
    await mkdir(`${home}/.ssh`, { mode: 0o700 });
    await writeFile(`${home}/.ssh/authorized_keys`, publicKey, { mode: 0o600 });
    await chown(`${home}/.ssh`, id, id);
    await chown(`${home}/.ssh/authorized_keys`, id, id);
}

const HOST_KEYS = ["ssh_host_ed25519_key", "ssh_host_ed25519_key.pub", "ssh_host_ecdsa_key", "ssh_host_ecdsa_key.pub"] as const;

async function savedHostKeys(place: HostPlaces): Promise<Buffer[]> {
    return await Promise.all(HOST_KEYS.map((name) => readFile(`${place.upper}/etc/ssh/${name}`)));
}

async function writeHostKeys(place: HostPlaces, saved: readonly Buffer[]): Promise<string> {
    const directory = `${place.root}/etc/ssh`;
    for (const entry of await readdir(directory)) {
        if (entry.startsWith("ssh_host_")) await rm(`${directory}/${entry}`);
    }
    await writeFile(`${directory}/sshd_config`, SSHD_CONFIG);
    for (const [index, name] of HOST_KEYS.entries()) {
        const key = saved[index];
        if (key !== undefined) await writeFile(`${directory}/${name}`, key);
    }
    for (const type of saved.length > 0 ? [] : ["ed25519", "ecdsa"]) {
        await must("ssh-keygen", ["-q", "-t", type, "-N", "", "-C", place.name, "-f", `${directory}/ssh_host_${type}_key`]);
    }
    for (const name of HOST_KEYS) await chmod(`${directory}/${name}`, name.endsWith(".pub") ? 0o644 : 0o600);
    const [type = "", key = ""] = (await readFile(`${directory}/ssh_host_ed25519_key.pub`, "utf8")).split(" ");
    return `${type} ${key.trim()}`;
}

async function link(target: string, path: string): Promise<void> {
    await unlink(path).catch(() => undefined);
    await symlink(target, path);
}
