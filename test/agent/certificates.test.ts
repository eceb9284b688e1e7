import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join as path } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { must } from "../../dev/hosts/command.ts";
import { prefixOf } from "../prefix.ts";
import { shell, startSshd } from "./other-sshd.ts";
import { withSshAgent } from "./ssh-agent.ts";
import { failure, Transport, want } from "./transport-host.ts";

const on = new Transport(prefixOf("c"));
/** Lets in whom the authority vouches for, and nobody else. */
const USERS_PORT = 2301;
/** Shows a host certificate. */
const CERTIFIED_PORT = 2302;
const KEY_TYPES: [string, ...string[]][] = [["ed25519"], ["rsa", "-b", "2048"], ["ecdsa", "-b", "384"]];
let certifiedKey = "";

const at = (name: string) => path(on.directory, name);
const keyPair = async (name: string, type: readonly string[] = ["ed25519"], passphrase = "") => {
    await must("ssh-keygen", ["-q", "-t", ...type, "-N", passphrase, "-C", name, "-f", at(name)]);
    return at(name);
};
const signUser = (key: string, authority = "users", more: readonly string[] = []) =>
    must("ssh-keygen", ["-q", "-s", at(authority), "-I", `id of ${path(key).split("/").at(-1)}`, "-n", "root", ...more, `${key}.pub`]);
const publicIn = async (name: string) => (await must("cat", [`${at(name)}.pub`])).split(" ", 2).join(" ");

/** Somebody with this in ~/.ssh, and nothing else. */
const someone = async (config: string, env: Record<string, string> = {}) => {
    const home = await mkdtemp(at("home-"));
    await mkdir(path(home, ".ssh"));
    await writeFile(path(home, ".ssh", "config"), `${config}\nHost *\n  GlobalKnownHostsFile none\n`);
    const cache = process.env.XDG_CACHE_HOME ?? path(homedir(), ".cache");
    return on.pool({ env: { PATH: process.env.PATH, HOME: home, XDG_CACHE_HOME: cache, ...env } });
};
const certifiedBy = (port: number) => ({ ...on.reach({ port }), identityFile: undefined });

beforeAll(async () => {
    for (const name of ["users", "hosts", "strangers"]) await keyPair(name);
    await on.pool().link(on.reach(), want());
    await shell(on.host, `mkdir -p /etc/ssh/other; echo '${await publicIn("users")}' > /etc/ssh/other/users.pub`);
    await startSshd(on.host, `0.0.0.0:${USERS_PORT}`, ["TrustedUserCAKeys /etc/ssh/other/users.pub", "AuthorizedKeysFile none"]);
    certifiedKey = await startSshd(on.host, `0.0.0.0:${CERTIFIED_PORT}`);
    await certify([]);
});

/** Gives the certified sshd a certificate of these conditions. */
const certify = async (conditions: readonly string[], names = on.host.address, authority = "hosts") => {
    const name = `0-0-0-0-${CERTIFIED_PORT}`;
    await writeFile(at("host.pub"), `${certifiedKey}\n`);
    await must("ssh-keygen", ["-q", "-s", at(authority), "-h", "-I", "the host", "-n", names, ...conditions, at("host.pub")]);
    const certificate = await must("cat", [at("host-cert.pub")]);
    await shell(
        on.host,
        `cd /etc/ssh/other; echo '${certificate.trim()}' > ${name}-cert.pub
        grep -q HostCertificate ${name}.conf || echo 'HostCertificate /etc/ssh/other/${name}-cert.pub' >> ${name}.conf
        kill -HUP "$(cat /run/sshd/${name}.pid)"`,
    );
};

describe("a user certificate", () => {
    it.each(KEY_TYPES)("beside a key file logs in: %s", async (...type: string[]) => {
        const key = await keyPair(`beside-${type[0]}`, type);
        const refused = await failure(on.pool().link(on.reach({ port: USERS_PORT, identityFile: key }), want("present")));
        expect(refused).toMatchObject({ code: "SSH_AUTH" });
        await signUser(key);
        const link = await on.pool().link(on.reach({ port: USERS_PORT, identityFile: key }), want("present"));
        expect(await link.request("trash.list", {})).toEqual([]);
    });

    it("of CertificateFile logs in, for a key file, a key's text and a jump host's", async () => {
        const key = await keyPair("configured", ["ed25519"], "some words");
        await signUser(key);
        await must("mv", [`${key}-cert.pub`, at("elsewhere.pub")]);
        const pool = await someone(`Host *\n  CertificateFile ${at("elsewhere.pub")}`);
        const privateKey = await must("cat", [key]);
        const login = { port: USERS_PORT, passphrase: "some words" };
        await pool.link(on.reach({ ...login, identityFile: key }), want("present"));
        await pool.link({ ...certifiedBy(USERS_PORT), privateKey, passphrase: "some words" }, want("present"));
        const via = [{ host: on.host.address, identityFile: key, ...login }];
        const behind = await pool.link(on.reach({ host: "127.0.0.1", via }), want("present"));
        expect(behind.hostKey).toBe(on.host.hostKey);
    });

    it.each(KEY_TYPES)("of the SSH agent, or for a key that the SSH agent has, logs in: %s", async (...type: string[]) => {
        const key = await keyPair(`agent-${type[0]}`, type);
        await signUser(key);
        await using both = await withSshAgent([key]);
        const pool = await someone("", { SSH_AUTH_SOCK: both.socket });
        expect(await (await pool.link(certifiedBy(USERS_PORT), want("present"))).request("trash.list", {})).toEqual([]);
        const certificate = `${key}-cert.pub`;
        await must("mv", [certificate, at("aside.pub")]);
        await using bare = await withSshAgent([key]);
        await must("mv", [at("aside.pub"), certificate]);
        const other = await someone(`Host *\n  IdentityFile ${key}.pub`, { SSH_AUTH_SOCK: bare.socket });
        await other.link(certifiedBy(USERS_PORT), want("present"));
    });

    it("that is refused is named, with the time it expired at, and the key itself is tried after it", async () => {
        const key = await keyPair("refused");
        await signUser(key, "users", ["-V", "20200101:20200102"]);
        const refused = await failure(on.pool().link(on.reach({ port: USERS_PORT, identityFile: key }), want("present")));
        expect(refused).toMatchObject({ code: "SSH_AUTH", retryable: false });
        expect(refused.sentence()).toMatch(
            /tried .*refused-cert\.pub \(certificate "id of refused", which expired at 2020-01-0.*\), .*refused\)/,
        );
        await shell(on.host, `cp /root/.ssh/authorized_keys /tmp/kept; echo '${await publicIn("refused")}' >> /root/.ssh/authorized_keys`);
        await on.pool().link(on.reach({ identityFile: key }), want("present"));
        await shell(on.host, "cp /tmp/kept /root/.ssh/authorized_keys");
    });
});

describe("a host certificate", () => {
    const trusting = async (lines: string, given = {}, config = "") => {
        const file = path(await mkdtemp(at("known-")), "known_hosts");
        await writeFile(file, lines);
        const pool = await someone(`${config}Host *\n  UserKnownHostsFile ${file}`);
        return pool.link(on.reach({ port: CERTIFIED_PORT, ...given }), want("present"));
    };
    const authority = async (name = "hosts", marker = "@cert-authority", names = "*") => `${marker} ${names} ${await publicIn(name)}\n`;

    it("of a known authority makes the key in it the one to pin", async () => {
        expect((await trusting(await authority())).hostKey).toBe(certifiedKey);
        expect((await trusting((await authority("strangers")) + (await authority()))).hostKey).toBe(certifiedKey);
        const strict = "Host *\n  StrictHostKeyChecking yes\n";
        const unknown = await failure(trusting("", {}, strict));
        expect(unknown).toMatchObject({ code: "SSH_HOST_KEY", message: expect.stringContaining("is not known") });
        const names = `10.9.9.9,${on.host.address}`;
        expect((await trusting(await authority("hosts", "@cert-authority", names), {}, strict)).hostKey).toBe(certifiedKey);
    });

    it("that does not vouch for the host is no reason to trust it at first contact", async () => {
        const objection = async (lines: string, given = {}) => {
            const refused = await failure(trusting(lines, given));
            expect(refused).toMatchObject({ code: "SSH_HOST_KEY", retryable: false });
            expect(refused.hint).toContain("hostKey");
            return refused.message;
        };
        expect(await objection(await authority("strangers"))).toMatch(
            /shows host certificate "the host" of the authority SHA256:.*, not of SHA256:/,
        );
        // ssh takes it for one of the machine, whatever the port.
        expect(await objection(await authority("strangers", "@cert-authority", on.host.address))).toMatch(/not of SHA256:/);
        expect(await objection(await authority(), { port: 22 })).toMatch(/shows no host certificate of the authority SHA256:/);
        expect(await objection((await authority()) + (await authority("hosts", "@revoked")))).toMatch(/marked as revoked/);
        expect(await objection(`${await authority()}@revoked * ${certifiedKey}\n`)).toMatch(/marked as revoked/);
        await certify([], "another.example.org");
        expect(await objection(await authority())).toMatch(/which is for another\.example\.org/);
        await certify(["-V", "20200101:20200102"]);
        expect(await objection(await authority())).toMatch(/which expired at 2020-01/);
        await certify([]);
    });

    it("is not needed where the key itself is known or pinned, unless that is revoked", async () => {
        const strangers = await authority("strangers");
        const place = `[${on.host.address}]:${CERTIFIED_PORT}`;
        expect((await trusting(`${strangers}${place} ${certifiedKey}\n`)).hostKey).toBe(certifiedKey);
        expect((await trusting(strangers, { hostKey: certifiedKey })).hostKey).toBe(certifiedKey);
        const revoked = await failure(trusting(`@revoked * ${certifiedKey}\n`, { hostKey: certifiedKey }));
        expect(revoked.sentence()).toMatch(/is marked as revoked in/);
    });
});
