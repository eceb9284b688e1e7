import { beforeAll, describe, expect, it } from "vitest";
import { exec } from "../../dev/hosts/index.ts";
import { prefixOf } from "../prefix.ts";
import { shell, startSshd } from "./other-sshd.ts";
import { failure, Transport, want } from "./transport-host.ts";

const on = new Transport(prefixOf("l"));
const LOUD_PORT = 2401;
const NOISE = "x".repeat(30_000);

/** What a login shell prints, on both outputs, whatever kind of shell it is; it has the words in it by which answers are known. */
const CHATTER = `echo 'welcome, the zeroform-rpc is ready'; echo zeroform-probe >&2; echo '${"y".repeat(20_000)}'`;

/** What a shell reads that is started by sshd for a command, of each kind. */
const SETTINGS = ".bashrc .profile .zshenv .config/fish/config.fish .cshrc";

beforeAll(async () => {
    await shell(
        on.host,
        `printf '%s\\n' '${NOISE}' > /etc/banner; printf '%s\\n' '${NOISE}' > /etc/motd; cat /etc/banner /etc/banner > /etc/long
        printf '%s\\n' '#!/bin/sh' ${JSON.stringify(CHATTER).replaceAll("$", "\\$")} 'exec /bin/sh "$@"' > /usr/local/bin/loud-shell
        chmod 755 /usr/local/bin/*-shell`,
    );
    await startSshd(on.host, `0.0.0.0:${LOUD_PORT}`, ["Banner /etc/banner", "PrintMotd yes"]);
    await startSshd(on.host, `0.0.0.0:${LOUD_PORT + 1}`, ["Banner /etc/long"]);
});

const sudoers = (text: string) => shell(on.host, `printf '%s\\n' '${text}' > /etc/sudoers.d/zz-test; chmod 440 /etc/sudoers.d/zz-test`);
const loginShell = (user: string, path: string) => shell(on.host, `usermod -s ${path} ${user}`);
const asDev = (more = {}) => on.reach({ user: "dev", ...more });
const works = async (given: ReturnType<typeof asDev>, agent: "present" | "current" = "present") => {
    const link = await on.pool().link(given, want(agent));
    expect(await link.request("trash.list", {})).toEqual([]);
};

describe("a login that prints", () => {
    it("a long banner, the message of the day and a talkative shell is as good as a quiet one, also to install the agent", async () => {
        await loginShell("dev", "/usr/local/bin/loud-shell");
        await works(asDev({ port: LOUD_PORT }), "current");
        await works(asDev({ port: LOUD_PORT }));
        await exec(on.host, ["systemctl", "stop", "zeroform-agent.service"]);
        // What the machine says of itself comes through the same noise.
        const silent = await failure(on.pool().link(asDev({ port: LOUD_PORT }), want("present", 3_000)));
        expect(["AGENT_BROKEN", "TIMEOUT"]).toContain(silent.code);
        await works(asDev({ port: LOUD_PORT }), "current");
    });

    it("a banner longer than the protocol allows for is told what to shorten", async () => {
        const refused = await failure(on.pool().link(asDev({ port: LOUD_PORT + 1 }), want("present")));
        expect(refused).toMatchObject({ code: "SSH_CONFIG", retryable: false });
        expect(refused.sentence()).toMatch(/35000 bytes.*Shorten the file that Banner/);
    });

    it.each(["/bin/dash", "/bin/bash", "/usr/bin/zsh", "/usr/bin/fish", "/usr/bin/tcsh"])("is read by %s", async (path) => {
        await shell(
            on.host,
            `cd /home/dev; mkdir -p .config/fish; printf '%s\\n' ${JSON.stringify(CHATTER)} | tee ${SETTINGS} > /dev/null`,
        );
        await loginShell("dev", path);
        try {
            await works(asDev(), "current");
        } finally {
            await loginShell("dev", "/bin/bash");
            await shell(on.host, `cd /home/dev; rm ${SETTINGS}`);
        }
    });
});

describe("a login shell that runs nothing", () => {
    it.each([
        ["/bin/false", 1],
        ["/usr/sbin/nologin", 1],
    ])("%s is named as what stands in the way", async (path, status) => {
        await loginShell("dev", path);
        const refused = await failure(on.pool().link(asDev(), want("present")));
        await loginShell("dev", "/bin/bash");
        expect(refused).toMatchObject({ code: "UNSUITABLE", retryable: false });
        expect(refused.sentence()).toMatch(new RegExp(`dev on .* cannot run commands \\(status ${status}.*Its login shell`));
    });
});

describe("sudo", () => {
    it("with a lecture and a PATH of its own is as good as any", async () => {
        await sudoers('Defaults lecture=always\nDefaults secure_path="/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"');
        await works(asDev());
    });

    it.each([
        ["a terminal", "Defaults:dev requiretty", /must have a tty/],
        ["a password", "dev ALL=(ALL) PASSWD: ALL", /a password is required/],
        ["another command", "dev ALL=(ALL) PASSWD: ALL, NOPASSWD: /bin/ls", /a password is required/],
        ["to allow nothing else", "dev ALL=(ALL) !ALL, NOPASSWD: /bin/ls", /not allowed to execute this as root|a password is required/],
    ])("that wants %s is told in its own words, with what to write where", async (_, text, words) => {
        await sudoers(text);
        const refused = await failure(on.pool().link(asDev(), want("present")));
        await shell(on.host, "rm /etc/sudoers.d/zz-test");
        expect(refused).toMatchObject({ code: "NO_ROOT", retryable: false });
        expect(refused.message).toMatch(words);
        expect(refused.hint).toMatch(/NOPASSWD: ALL/);
    });
});
