import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../dev/hosts/command.ts";
import { cut, down, exec, type HostInfo, join, list, powerOff, powerOn, reinstall, up } from "../../dev/hosts/index.ts";
import { prefixOf } from "../prefix.ts";
import { footprint, NOTHING } from "./footprint.ts";
import { ssh } from "./ssh.ts";

const PREFIX = prefixOf("t");
const OTHER = prefixOf("tb");
const CLI = fileURLToPath(new URL("../../cli/zeroform.ts", import.meta.url));
const MIB = 1024 ** 2;

const zeroform = (...args: string[]) => run(process.execPath, [CLI, "dev", ...args]);
const inside = async (host: HostInfo, script: string): Promise<string> => {
    const { code, stdout, stderr } = await exec(host, ["sh", "-ec", script]);
    expect(stderr + (code === 0 ? "" : stdout)).toBe("");
    return stdout.trim();
};
const removeAll = async () => {
    await down({ prefix: PREFIX });
    await down({ prefix: OTHER });
};

beforeAll(removeAll);
afterAll(removeAll);

/** Hosts 1 to `count`; a test that needs another state makes it itself. */
const hosts = async (count: number): Promise<[HostInfo, ...HostInfo[]]> => {
    const [first, ...rest] = await up({ prefix: PREFIX, count, diskBytes: 512 * MIB });
    if (first === undefined) throw new Error("no host");
    return [first, ...rest];
};

describe("a host", () => {
    test("is reached by real ssh as soon as it is up, with its own systemd, name, machine id and keys", async () => {
        const all = await hosts(3);
        const answers = await Promise.all(all.map((host) => ssh(host, ["hostname; cat /etc/machine-id; systemctl is-system-running"])));
        const lines = answers.map((answer) => answer.stdout.trim().split("\n"));
        expect(lines.map(([name]) => name)).toEqual([`${PREFIX}-1`, `${PREFIX}-2`, `${PREFIX}-3`]);
        expect(new Set(lines.map(([, machine]) => machine)).size).toBe(3);
        expect(lines.map(([, , state]) => state)).toEqual(["running", "running", "running"]);
        expect(new Set(all.map((host) => host.hostKey)).size).toBe(3);
        expect(all.map((host) => host.state)).toEqual(["up", "up", "up"]);
    });

    test("sees nothing of the machine's mounts, processes and other hosts", async () => {
        const [host] = await hosts(1);
        expect(
            await inside(
                host,
                "findmnt -rno TARGET | grep -vE '^/(proc|sys|dev|run|tmp|var/lib/zeroform|var/lib/zeroform-dev)(/|$)' || true",
            ),
        ).toBe("/");
        expect(await inside(host, "cat /proc/1/comm; ls /var/lib/zeroform-dev; ip -o link | wc -l")).toBe("systemd\n2");
    });

    test("lets in an account with sudo and one without", async () => {
        const [host] = await hosts(1);
        expect((await ssh(host, ["sudo", "-n", "id", "-un"], "dev")).stdout).toBe("root\n");
        const guest = await ssh(host, ["id -un; sudo -n id -un"], "guest");
        expect(guest.stdout).toBe("guest\n");
        expect(guest.code).not.toBe(0);
    });

    test("has a disk of its own with ext4 on it, and can make loop mounts", async () => {
        const [host] = await hosts(1);
        expect(await inside(host, "findmnt -no FSTYPE /var/lib/zeroform")).toBe("ext4");
        const bytes = Number(await inside(host, "df --output=size -B1 /var/lib/zeroform | tail -1"));
        expect(bytes).toBeGreaterThan(400 * MIB);
        expect(bytes).toBeLessThanOrEqual(512 * MIB);
        const script = `
            cd /var/lib/zeroform
            fallocate -l 64M image
            mkfs.ext4 -q image
            mkdir -p mounted
            mount -o loop image mounted
            echo deep >mounted/file
            umount mounted
            truncate -s 96M image
            e2fsck -fp image >/dev/null
            resize2fs image >/dev/null 2>&1
            mount -o loop image mounted
            cat mounted/file
            umount mounted`;
        expect(await inside(host, script)).toBe("deep");
    });

    test("has hosts of its set as neighbours", async () => {
        const [host, neighbour] = await hosts(2);
        expect(await inside(host, `timeout 5 bash -c 'head -c 7 </dev/tcp/${neighbour?.address}/22'`)).toBe("SSH-2.0");
    });

    test("runs commands with their input, output and exit status", async () => {
        const [host] = await hosts(1);
        expect(await exec(host, ["sh", "-c", "cat; echo err >&2; exit 7"], { input: "in" })).toEqual({
            code: 7,
            stdout: "in",
            stderr: "err\n",
        });
    });
});

describe("a set", () => {
    test("made again is left as it is, and grows without touching what runs", async () => {
        const before = await hosts(2);
        expect(await hosts(2)).toEqual(before);
        const after = await hosts(3);
        expect(after.slice(0, 2)).toEqual(before);
        expect(await hosts(1)).toEqual(before.slice(0, 1));
        expect(await list({ prefix: PREFIX })).toEqual(after);
    });

    test("made twice at once is made once", async () => {
        await down({ prefix: OTHER });
        const [first, second] = await Promise.all([up({ prefix: OTHER, count: 2 }), up({ prefix: OTHER, count: 2 })]);
        expect(first).toEqual(second);
        expect((await ssh(first[0] as HostInfo, ["true"])).code).toBe(0);
    });

    test("lives beside another set in a network of its own, and its end does not touch the other", async () => {
        const [mine] = await hosts(1);
        const [other] = await up({ prefix: OTHER });
        expect(other?.address.split(".")[2]).not.toBe(mine.address.split(".")[2]);
        await down({ prefix: OTHER });
        expect(await footprint(OTHER)).toEqual(NOTHING);
        expect((await ssh(mine, ["true"])).code).toBe(0);
    });

    test("leaves nothing behind, and a second end has nothing to do", async () => {
        const [host] = await up({ prefix: OTHER, count: 2 });
        // What an agent does: an immutable mount point in the root's layer, and a loop device that stays without its mount.
        await inside(
            host as HostInfo,
            "mkdir /srv/point; chattr +i /srv/point; truncate -s 8M /var/lib/zeroform/i; losetup -f /var/lib/zeroform/i",
        );
        expect((await footprint(OTHER)).processes.length).toBeGreaterThan(4);
        await down({ prefix: OTHER });
        expect(await footprint(OTHER)).toEqual(NOTHING);
        await down({ prefix: OTHER });
        expect(await footprint(OTHER)).toEqual(NOTHING);
    });
});

describe("power", () => {
    test("kills everything at once and keeps disk, system and units", async () => {
        const [host] = await hosts(1);
        await inside(
            host,
            `echo kept >/var/lib/zeroform/file
            printf '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/survivor.service
            systemctl enable -q --now survivor.service 2>/dev/null
            truncate -s 8M /var/lib/zeroform/image
            losetup --find /var/lib/zeroform/image
            truncate -s 8M /root/image
            losetup --find /root/image
            sync`,
        );
        const off = await powerOff(host);
        expect(off.state).toBe("off");
        expect(off.pid).toBeUndefined();
        const rest = await footprint(PREFIX);
        expect(rest.loops.filter((line) => line.includes("/hosts/1/"))).toEqual([]);
        expect((await ssh(host, ["true"])).code).toBe(255);
        await expect(exec(host, ["true"])).rejects.toThrow(
            `${PREFIX}-1 is not running: start it with \`zeroform dev power-on ${PREFIX}-1\`.`,
        );

        const on = await powerOn(host);
        expect(on).toEqual({ ...host, pid: on.pid });
        const answer = await ssh(host, [
            "cat /var/lib/zeroform/file; systemctl is-active survivor.service; losetup --list --noheadings | grep -c image",
        ]);
        expect(answer).toMatchObject({ stdout: "kept\nactive\n0\n", stderr: "" });
        expect(await powerOn(host)).toEqual(on);
    });

    test("comes back when the host has switched itself off", async () => {
        const [host] = await hosts(1);
        await exec(host, ["systemctl", "poweroff", "--force", "--force"]);
        await expect.poll(async () => (await list({ prefix: PREFIX }))[0]?.state, { timeout: 10_000 }).toBe("off");
        expect((await powerOn(host)).state).toBe("up");
        expect((await ssh(host, ["true"])).code).toBe(0);
    });
});

describe("the cable", () => {
    test("pulled cuts the host off while it runs, also over a power cycle, until it is put in again", async () => {
        const [host] = await hosts(1);
        expect((await cut(host)).state).toBe("cut");
        expect((await ssh(host, ["true"])).stderr).toMatch(/timed out|No route to host/);
        expect((await exec(host, ["systemctl", "is-active", "ssh.service"])).stdout).toBe("active\n");
        await powerOff(host);
        expect((await powerOn(host)).state).toBe("cut");
        expect((await ssh(host, ["true"])).code).toBe(255);
        expect((await join(host)).state).toBe("up");
        expect((await ssh(host, ["true"])).code).toBe(0);
    });
});

describe("a new installation", () => {
    test("is another machine at the same address", async () => {
        const [before] = await hosts(1);
        const machine = await inside(before, "echo gone >/var/lib/zeroform/old; echo gone >/etc/old; cat /etc/machine-id");
        const after = await reinstall(before);
        expect(after.address).toBe(before.address);
        expect(after.hostKey).not.toBe(before.hostKey);
        expect(await inside(after, "cat /etc/machine-id; ls /var/lib/zeroform /etc/old 2>/dev/null | grep old || true")).not.toContain(
            machine,
        );
        expect((await ssh(after, ["true"])).code).toBe(0);
    });

    test("can keep its host keys, as a restored machine does", async () => {
        const [before] = await hosts(1);
        const machine = await inside(before, "cat /etc/machine-id");
        const after = await reinstall(before, { keepHostKey: true });
        expect(after.hostKey).toBe(before.hostKey);
        expect(await inside(after, "cat /etc/machine-id")).not.toBe(machine);
        expect((await ssh(after, ["true"])).code).toBe(0);
    });
});

describe("after a crash of the tool", () => {
    test.each([0.1, 0.3, 0.5, 0.7, 0.9, 1.2])(
        "%s s into making a set, the next run makes it whole and its end leaves nothing",
        async (seconds) => {
            await down({ prefix: OTHER });
            const child = spawn(process.execPath, [CLI, "dev", "up", "2", "--prefix", OTHER], { stdio: "ignore" });
            const ended = once(child, "close");
            setTimeout(() => child.kill("SIGKILL"), seconds * 1000);
            await ended;
            const made = await up({ prefix: OTHER, count: 2 });
            for (const host of made) expect((await ssh(host, ["systemctl", "is-system-running"])).stdout).toBe("running\n");
            await down({ prefix: OTHER });
            expect(await footprint(OTHER)).toEqual(NOTHING);
        },
    );

    test("a half-made set is removed as well as a whole one", async () => {
        const child = spawn(process.execPath, [CLI, "dev", "up", "2", "--prefix", OTHER], { stdio: "ignore" });
        const ended = once(child, "close");
        setTimeout(() => child.kill("SIGKILL"), 800);
        await ended;
        await down({ prefix: OTHER });
        expect(await footprint(OTHER)).toEqual(NOTHING);
    });
});

describe("zeroform dev", () => {
    test("makes, lists, enters, switches and removes hosts; they outlive the command that made them", async () => {
        const made = await zeroform("up", "2", "--prefix", OTHER, "--disk", "256MiB", "--json");
        const all = JSON.parse(made.stdout) as HostInfo[];
        expect(all.map((host) => [host.name, host.state, host.diskBytes])).toEqual([
            [`${OTHER}-1`, "up", 256 * MIB],
            [`${OTHER}-2`, "up", 256 * MIB],
        ]);
        expect(JSON.parse((await zeroform("list", "--prefix", OTHER, "--json")).stdout)).toEqual(all);
        expect(await zeroform("ssh", "--prefix", OTHER, "2", "hostname; exit 3")).toEqual({ code: 3, stdout: `${OTHER}-2\n`, stderr: "" });
        expect((await zeroform("ssh", `dev@${OTHER}-1`, "id", "-un")).stdout).toBe("dev\n");
        expect((await zeroform("power-off", `${OTHER}-1`)).stdout).toMatch(new RegExp(`^${OTHER}-1 +off `));
        expect((await zeroform("power-on", `${OTHER}-1`)).stdout).toMatch(new RegExp(`^${OTHER}-1 +up `));
        expect((await zeroform("cut", "--prefix", OTHER, "1")).stdout).toMatch(new RegExp(`^${OTHER}-1 +cut `));
        expect((await zeroform("join", "--prefix", OTHER, "1")).stdout).toMatch(new RegExp(`^${OTHER}-1 +up `));
        expect((await zeroform("down", "--prefix", OTHER)).stdout).toBe(`Removed ${OTHER}-1, ${OTHER}-2.\n`);
        expect((await zeroform("list", "--prefix", OTHER, "--json")).stdout).toBe("[]\n");
        expect(await footprint(OTHER)).toEqual(NOTHING);
    });

    test("has sets side by side: made, cut and removed at once, each without the other noticing", async () => {
        const both = [PREFIX, OTHER];
        const made = await Promise.all(both.map((prefix) => zeroform("up", "1", "--prefix", prefix, "--disk", "256MiB")));
        expect(made.map(({ code }) => code)).toEqual([0, 0]);
        const names = (await zeroform("list")).stdout.split("\n").map((line) => line.split(" ")[0]);
        expect(names).toEqual(expect.arrayContaining([`${PREFIX}-1`, `${OTHER}-1`]));
        await zeroform("cut", "1", "--prefix", OTHER);
        expect((await zeroform("ssh", "--prefix", PREFIX, "1", "hostname")).stdout).toBe(`${PREFIX}-1\n`);
        const [, again] = await Promise.all([zeroform("down", "--prefix", OTHER), zeroform("up", "2", "--prefix", PREFIX, "--json")]);
        expect((JSON.parse(again.stdout) as HostInfo[]).map(({ state }) => state)).toEqual(["up", "up"]);
        expect(await footprint(OTHER)).toEqual(NOTHING);
        expect((await zeroform("ssh", "--prefix", PREFIX, "2", "true")).code).toBe(0);
    });

    test.each([
        [["cut", "nohosts-1"], "There is no test host nohosts-1: none with the prefix nohosts exists, `zeroform dev up` makes some.\n"],
        [["up", "--prefix", "Big"], '"Big" cannot be a prefix of test hosts: use 1 to 12 lower-case letters and digits, a letter first.\n'],
        [["up", "99"], "A set has 1 to 50 test hosts, not 99.\n"],
    ])("%j is refused in one sentence", async (args, sentence) => {
        expect(await zeroform(...args)).toEqual({ code: 1, stdout: "", stderr: sentence });
    });

    test("says without root what else there is", async () => {
        const child = spawn("setpriv", ["--reuid=65534", "--clear-groups", process.execPath, CLI, "dev", "up"], {
            stdio: ["ignore", "ignore", "pipe"],
        });
        let words = "";
        child.stderr.on("data", (chunk) => {
            words += chunk;
        });
        await once(child, "close");
        expect(words).toBe(
            "Test hosts need root to make namespaces, mounts and a bridge: run this with sudo, or give the examples any Linux machine that is reachable over SSH.\n",
        );
    });
});
