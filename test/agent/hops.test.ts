import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join as path } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { must } from "../../dev/hosts/command.ts";
import type { NodePool } from "../../provider/node/pool.ts";
import { prefixOf } from "../prefix.ts";
import { shell, startSshd } from "./other-sshd.ts";
import { SlowRelay } from "./slow-relay.ts";
import { failure, Transport, want } from "./transport-host.ts";

const prefix = prefixOf("h");
const on = new Transport(prefix);
/** What only those inside the host can reach: every 127.x address has an sshd. */
const INNER = "127.0.0.2";
const PORT = 2201;
let innerKey = "";

beforeAll(async () => {
    innerKey = await startSshd(on.host, `0.0.0.0:${PORT}`, ["PermitRootLogin prohibit-password"]);
    await startSshd(on.host, "0.0.0.0:2203", ["AllowTcpForwarding no"]);
});

/** A pool of somebody who has these files in ~/.ssh. */
const poolOf = async (files: Record<string, string>): Promise<NodePool> => {
    const home = await mkdtemp(path(on.directory, "home-"));
    await mkdir(path(home, ".ssh"));
    for (const [name, text] of Object.entries(files)) await writeFile(path(home, ".ssh", name), text, { mode: 0o600 });
    const cache = process.env.XDG_CACHE_HOME ?? path(homedir(), ".cache");
    return on.pool({ env: { PATH: process.env.PATH, HOME: home, XDG_CACHE_HOME: cache } });
};
const bastion = (more = {}) => ({ host: on.host.address, user: "root", identityFile: on.host.identityFile, ...more });
const inner = (more = {}) => on.reach({ host: INNER, port: PORT, via: [bastion()], ...more });

describe("a way through jump hosts", () => {
    it("reaches a machine that nothing else reaches, also to install its agent, and pins every key on it", async () => {
        const link = await on.pool().link(inner(), want());
        expect(await link.request("trash.list", {})).toEqual([]);
        expect(link.hostKey).toBe(innerKey);
        expect(link.hopKeys).toEqual([`${on.host.address} ${on.host.hostKey}`]);
        const again = await on.pool().link(inner({ hostKey: link.hostKey, hopKeys: link.hopKeys }), want("present"));
        expect(again.welcome.machine).toBe(link.welcome.machine);
    });

    it("may have several, each with its own user and key, from ~/.ssh/config too", async () => {
        const { address, identityFile } = on.host;
        const config = `
            Host outer
                HostName ${address}
                User dev
            Host middle
                HostName 127.0.0.3
                Port ${PORT}
                ProxyJump outer
            Host *
                IdentityFile ${identityFile}
            Host inner
                HostName ${INNER}
                Port ${PORT}
                ProxyJump guest@middle`;
        const pool = await poolOf({ config });
        const { identityFile: _, ...reach } = on.reach({ host: "inner" });
        const link = await pool.link(reach, want("present"));
        expect(link.hopKeys).toEqual([`${address} ${on.host.hostKey}`, `[127.0.0.3]:${PORT} ${innerKey}`]);
        expect((await shell(on.host, "ps -o user= -C sshd")).split(/\s+/)).toEqual(expect.arrayContaining(["dev", "guest", "root"]));
    });

    it("is one connection to a jump host for all that lie behind it", async () => {
        await using relay = await SlowRelay.to(on.host.address, on.host.port, { oneWayMs: 5 });
        const via = [bastion({ host: "127.0.0.1", port: relay.port })];
        const pool = on.pool();
        const hosts = Array.from({ length: 20 }, (_, number) => `127.0.1.${number + 1}`);
        const links = await Promise.all(hosts.map((host) => pool.link(inner({ host, via }), want("present"))));
        expect(new Set(links).size).toBe(20);
        expect(relay.connections).toBe(1);
        for (const link of links) expect(await link.request("trash.list", {})).toEqual([]);
    });

    it("is made anew from its beginning when a jump host drops it", async () => {
        const pool = on.pool();
        const before = await pool.link(inner(), want("present"));
        await shell(on.host, `kill $(ps -o pid=,args= -C sshd | awk '/sshd: root@notty/ || /sshd: root$/ {print $1}') || true`);
        await before.closed;
        const after = await pool.link(inner(), want("present"));
        expect(after).not.toBe(before);
        expect(await after.request("trash.list", {})).toEqual([]);
    });

    it("ends at a jump host that is not the one it was, before anything is said to the goal", async () => {
        const hopKeys = [`${on.host.address} ${innerKey}`];
        const refused = await failure(on.pool().link(inner({ hopKeys }), want("present")));
        expect(refused).toMatchObject({ code: "SSH_HOST_KEY", retryable: false });
        expect(refused.sentence()).toContain(`the host key of jump host ${on.host.address}:22 is`);
        expect(refused.sentence()).toContain("hostKey of that entry of via");
        const pool = on.pool();
        await pool.link(inner(), want("present"));
        expect((await failure(pool.link(inner({ host: "127.0.0.9", hopKeys }), want("present")))).code).toBe("SSH_HOST_KEY");
    });

    it("says which host on it stands in the way, and what to do there", async () => {
        const key = path(on.directory, `stranger-${randomUUID()}`);
        await must("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
        const stranger = await failure(on.pool().link(inner({ via: [bastion({ identityFile: key })] }), want("present")));
        expect(stranger).toMatchObject({ code: "SSH_AUTH", retryable: false });
        expect(stranger.sentence()).toMatch(
            new RegExp(
                `SSH login as root on jump host ${on.host.address}:22: no key was accepted .* give that entry of via another identityFile`,
            ),
        );
        const forbidden = await failure(on.pool().link(inner({ via: [bastion({ port: 2203 })] }), want("present")));
        expect(forbidden).toMatchObject({ code: "SSH_REFUSED", retryable: false });
        expect(forbidden.sentence()).toMatch(/jump host .*:2203 does not let root connect to 127\.0\.0\.2:2201 .*AllowTcpForwarding/);
        const closed = await failure(on.pool().link(inner({ port: 1 }), want("present", 2_000)));
        expect(closed).toMatchObject({ code: "SSH_REFUSED", retryable: true });
        expect(closed.sentence()).toMatch(/127\.0\.0\.2:1 through .*:22 cannot be reached from there \(.*refused/i);
        const dead = await failure(on.pool().link(inner({ via: [bastion({ port: 1 })] }), want("present", 2_000)));
        expect(dead.sentence()).toMatch(/SSH on jump host .*:1 refused the connection/);
    });
});

describe("a ProxyCommand", () => {
    const { via: _, ...direct } = { via: undefined, host: "inner" };

    it("is the way to a host, and ends with the connection", async () => {
        const { address, identityFile } = on.host;
        const ssh = `ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i ${identityFile} -W %h:%p root@${address}`;
        const config = `Host inner\n  HostName ${INNER}\n  Port ${PORT}\n  ProxyCommand ${ssh} # by way of the other\n`;
        const pool = await poolOf({ config });
        const link = await pool.link(on.reach(direct), want("present"));
        expect(link.hostKey).toBe(innerKey);
        expect(link.hopKeys).toEqual([]);
        const running = async () => (await must("ps", ["axww", "-o", "args"])).includes(`-W ${INNER}:${PORT} root@${address}`);
        expect(await running()).toBe(true);
        await pool.end();
        await expect.poll(running, { timeout: 10_000 }).toBe(false);
    });

    it("that fails is told with its last words, and tried again while there is time", async () => {
        const pool = await poolOf({ config: "Host inner\n  ProxyCommand sh -c 'echo the tunnel is closed >&2; exit 3'\n" });
        const refused = await failure(pool.link(on.reach(direct), want("present", 3_000)));
        expect(refused).toMatchObject({ code: "SSH_LOST", retryable: true });
        expect(refused.sentence()).toMatch(
            /the ProxyCommand for inner:22 ended without a connection: the tunnel is closed\. Try it by hand: ssh inner/,
        );
    });
});

describe("an IPv6 link-local address", () => {
    it("is reached with its zone, and known under it", async () => {
        const shown = await shell(on.host, "ip -6 -o addr show dev eth0 scope link");
        const [, linkLocal] = /inet6 (fe80:[0-9a-f:]+)/.exec(shown) ?? [];
        const host = `${linkLocal}%${prefix}-br`;
        const known = path(on.directory, "known-zone");
        await writeFile(known, `${host} ${on.host.hostKey}\n`);
        const pool = await poolOf({ config: `Host *\n  UserKnownHostsFile ${known}\n  GlobalKnownHostsFile none\n` });
        const link = await pool.link(on.reach({ host }), want("present"));
        expect(link.target).toMatchObject({ address: host, knownAs: host });
        await writeFile(known, `${host} ${innerKey}\n`);
        const refused = await failure(
            (await poolOf({ config: `Host *\n  UserKnownHostsFile ${known}\n` })).link(on.reach({ host }), want("present")),
        );
        expect(refused.sentence()).toContain(`the host key of [${host}]:22 is`);
        await rm(known);
    });
});
