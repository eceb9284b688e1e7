import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { type Reach, reach } from "../../schema/on-node.ts";
import { resolveTarget } from "./target.ts";

const home = mkdtempSync(join(tmpdir(), "zfn-home-"));
const ssh = join(home, ".ssh");
beforeEach(() => {
    rmSync(ssh, { recursive: true, force: true });
    mkdirSync(ssh);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const configure = (text: string, name = "config") => writeFileSync(join(ssh, name), text);
const resolve = (given: Partial<Reach> & { host: string }, env = {}) => resolveTarget(reach.parse(given), { HOME: home, ...env });

describe("a target", () => {
    it("is what ssh's defaults say when nothing else does", () => {
        expect(resolve({ host: "10.0.0.1" }, { SSH_AUTH_SOCK: "/run/agent" })).toMatchObject({
            alias: "10.0.0.1",
            address: "10.0.0.1",
            port: 22,
            user: "root",
            sudo: false,
            identityFile: undefined,
            identityFiles: ["id_ed25519", "id_ecdsa", "id_rsa"].map((name) => join(ssh, name)),
            identitiesOnly: false,
            agentSocket: "/run/agent",
            knownAs: "10.0.0.1",
        });
    });

    it("takes aliases, User, Port and identities from ~/.ssh/config", () => {
        configure(`
            Host alpha
                HostName %h.example.org
                User dev
                Port 2222
                IdentityFile ~/.ssh/work
                IdentityFile "%d/.ssh/%r@%h"
                IdentitiesOnly yes
                IdentityAgent none
            Host *
                User nobody
                IdentityFile ~/.ssh/last`);
        expect(resolve({ host: "alpha" }, { SSH_AUTH_SOCK: "/run/agent" })).toMatchObject({
            alias: "alpha",
            address: "alpha.example.org",
            port: 2222,
            user: "dev",
            sudo: true,
            identityFiles: ["work", "dev@alpha.example.org", "last"].map((name) => join(ssh, name)),
            identitiesOnly: true,
            agentSocket: undefined,
            knownAs: "[alpha.example.org]:2222",
        });
    });

    it("is what the program says, before all", () => {
        configure("Host alpha\n  User dev\n  Port 2222\n");
        expect(resolve({ host: "alpha", user: "root", port: 22, identityFile: "~/key", sudo: true })).toMatchObject({
            user: "root",
            port: 22,
            identityFile: join(home, "key"),
            sudo: true,
        });
    });

    it("follows Include, also with a pattern and inside a Host", () => {
        mkdirSync(join(ssh, "config.d"));
        configure("Host alpha\n  User first\n", "config.d/10-first");
        configure("Host alpha\n  User second\n  Port 2222\n", "config.d/20-second");
        configure("Host *\n  Port 1111\nHost beta\n  HostName included", "beta");
        configure("Include config.d/*\nInclude absent\nUser everywhere\nHost beta\n  Include beta\n  User inside\n");
        expect(resolve({ host: "alpha" })).toMatchObject({ user: "first", port: 2222, address: "alpha" });
        expect(resolve({ host: "gamma" })).toMatchObject({ user: "everywhere", port: 22 });
        expect(resolve({ host: "beta" })).toMatchObject({ user: "everywhere", port: 1111, address: "included" });
    });

    it("ends an Include of itself with a sentence", () => {
        configure("Include config\n");
        expect(() => resolve({ host: "alpha" })).toThrow(/too many levels of Include/);
    });

    it("refuses unknown hosts where the configuration wants it", () => {
        configure("Host alpha\n  StrictHostKeyChecking Yes\nHost *\n  StrictHostKeyChecking accept-new\n");
        expect(resolve({ host: "alpha", port: 2222 })).toMatchObject({ trustsKnownOnly: true, knownOnAnyPortAs: "alpha" });
        expect(resolve({ host: "beta" }).trustsKnownOnly).toBe(false);
    });

    it("ends in a sentence when the configuration cannot be read", () => {
        mkdirSync(join(ssh, "config"));
        expect(() => resolve({ host: "alpha" })).toThrow(`${join(ssh, "config")}, which SSH goes by, cannot be read (EISDIR)`);
    });

    it("knows hosts by their alias and files where the configuration says so", () => {
        configure(
            "Host alpha\n  Port 2222\n  HostKeyAlias Fleet\n  UserKnownHostsFile ~/.ssh/fleet /dev/null\n  GlobalKnownHostsFile none\n",
        );
        expect(resolve({ host: "alpha" })).toMatchObject({ knownAs: "fleet", knownHostsFiles: [join(ssh, "fleet"), "/dev/null"] });
    });
});
