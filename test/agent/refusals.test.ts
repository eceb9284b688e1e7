import { beforeAll, describe, expect, it } from "vitest";
import { exec } from "../../dev/hosts/index.ts";
import { prefixOf } from "../prefix.ts";
import { failure, Transport, want } from "./transport-host.ts";

/** Puts something else in the place of a program: only who comes through this sshd sees it. */
const instead = (program: string, text: string) =>
    `cat > /opt/fakes/${program} <<"END"
#!/bin/sh
${text}
END
chmod 755 /opt/fakes/${program}; cp $(readlink -f $(command -v ${program})) /opt/fakes/real-${program}; mount --bind /opt/fakes/${program} $(readlink -f $(command -v ${program}))`;
const uname = (flag: string, answer: string) =>
    instead("uname", `case $1 in ${flag}) echo ${answer};; *) exec /opt/fakes/real-uname "$@";; esac`);
const hidden = (program: string) => `mount --bind /dev/null $(readlink -f $(command -v ${program}))`;

interface Lacking {
    readonly what: string;
    /** Makes it so in the mount namespace of an sshd. */
    readonly made: string;
    /** Its sshd is process 1 of processes of its own. */
    readonly isInit?: boolean;
    readonly user?: string;
    readonly sudo?: boolean;
    readonly code: string;
    readonly says: RegExp;
}

const LACKING: readonly Lacking[] = [
    { what: "Linux", made: uname("-s", "FreeBSD"), code: "UNSUITABLE", says: /runs FreeBSD.*must be a Linux machine/ },
    {
        what: "a known architecture",
        made: uname("-m", "riscv64"),
        code: "WRONG_ARCHITECTURE",
        says: /architecture riscv64.*x86_64 or aarch64/,
    },
    {
        what: "SSE4.2",
        made: `sed "s/sse4_2//" /proc/cpuinfo > /opt/fakes/cpuinfo; mount --bind /opt/fakes/cpuinfo /proc/cpuinfo`,
        code: "WRONG_ARCHITECTURE",
        says: /processor without SSE4\.2/,
    },
    {
        what: "a kernel new enough",
        made: uname("-r", "5.9.16-generic"),
        code: "OLD_KERNEL",
        says: /kernel 5\.9\.16-generic.*5\.10 or newer/,
    },
    {
        what: "systemd",
        made: "mount -t tmpfs none /run/systemd",
        isInit: true,
        code: "NO_SYSTEMD",
        says: /not run by systemd but by sshd.*whose init is systemd/,
    },
    {
        what: "a systemd new enough",
        made: instead("systemctl", `[ "$1" = --version ] && echo "systemd 245 (245.4-4)" && exit; exec /opt/fakes/real-systemctl "$@"`),
        code: "UNSUITABLE",
        says: /has systemd 245.*247 or newer/,
    },
    { what: "glibc", made: instead("getconf", "exit 1"), code: "UNSUITABLE", says: /has no glibc.*distribution with glibc/ },
    { what: "cgroup v2", made: "umount --lazy /sys/fs/cgroup", code: "UNSUITABLE", says: /no cgroup v2 mounted.*unified_cgroup_hierarchy/ },
    {
        what: "a writable place for units",
        made: "mount --bind /etc/systemd/system /etc/systemd/system; mount -o remount,bind,ro /etc/systemd/system",
        code: "UNSUITABLE",
        says: /read-only \/etc\/systemd\/system.*make it writable/,
    },
    {
        what: "a writable /var",
        made: "mount -o remount,bind,ro /var/lib/zeroform; umount /var/lib/zeroform; mount --bind /var /var; mount -o remount,bind,ro /var",
        code: "UNSUITABLE",
        says: /cannot write to \/var\/lib\/zeroform.*Make \/var\/lib writable/,
    },
    {
        what: "a /var that may be executed on",
        made: "mount -o remount,bind,noexec /var/lib/zeroform",
        code: "UNSUITABLE",
        says: /forbids to execute files in \/var\/lib\/zeroform.*without noexec/,
    },
    {
        what: "tools of the system",
        made: `${hidden("flock")}; ${hidden("gunzip")}`,
        code: "UNSUITABLE",
        says: /lacks flock, gunzip.*Install coreutils, gzip and util-linux/,
    },
    { what: "a user who may become root", made: "true", user: "plain", code: "NO_ROOT", says: /sudo without a password.*NOPASSWD/ },
    { what: "sudo", made: hidden("sudo"), user: "plain", code: "NO_ROOT", says: /cannot become root by sudo/ },
    {
        what: "a user who wants to become root",
        made: "true",
        user: "plain",
        sudo: false,
        code: "NO_ROOT",
        says: /sudo is false.*leave sudo out/,
    },
];

const FIRST_PORT = 2201;
/** Where bootstrap and probe put things. */
const LOOK =
    "{ find /var/lib/zeroform /etc/systemd/system /run/systemd/system /run/zeroform*; ls -d /var/* /var/lib/*; getent passwd; } 2>/dev/null | sort";

describe("a machine that lacks", () => {
    const on = new Transport(prefixOf("nref"));
    const sh = async (script: string) => {
        const { code, stdout, stderr } = await exec(on.host, ["sh", "-ec", script]);
        if (code !== 0) throw new Error(`${script}: ${stderr}`);
        return stdout;
    };
    beforeAll(async () => {
        await sh(`mkdir -p /opt/fakes; useradd --create-home plain; cp -r /root/.ssh /home/plain/; chown -R plain /home/plain`);
    });

    it.each(LACKING.map((lacking, index) => ({ ...lacking, port: FIRST_PORT + index })))(
        "$what is refused by name, and nothing is left on it",
        async ({ made, isInit, user = "root", sudo, code, says, port }) => {
            const unit = `lacking-${port}`;
            const view = `unshare --mount ${isInit ? "--pid --fork --mount-proc --kill-child" : ""}`;
            const before = await sh(`cat > /opt/${unit}.sh <<'EOF'
${made}
exec /usr/sbin/sshd -D -p ${port} -o PidFile=none
EOF
${LOOK}`);
            await sh(
                `systemd-run --quiet --unit=${unit} ${view} sh -e /opt/${unit}.sh; until ss -Hltn 'sport = :${port}' | grep -q .; do systemctl is-active -q ${unit} || { journalctl -u ${unit} >&2; exit 1; }; sleep 0.05; done`,
            );
            try {
                const refused = await failure(on.pool().link(on.reach({ port, user, ...(sudo === undefined ? {} : { sudo }) }), want()));
                expect(refused.sentence()).toMatch(says);
                expect(refused).toMatchObject({ code, retryable: false });
            } finally {
                await sh(`systemctl stop ${unit}`);
            }
            expect(await sh(LOOK)).toBe(before);
        },
    );
});
