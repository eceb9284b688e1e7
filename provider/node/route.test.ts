import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { reach } from "../../schema/on-node.ts";
import { destinationOf, type Route, resolveRoute, wayOf } from "./route.ts";
import { describeTarget } from "./target.ts";

const home = mkdtempSync(join(tmpdir(), "zfn-route-"));
const ssh = join(home, ".ssh");
beforeEach(() => {
    rmSync(ssh, { recursive: true, force: true });
    mkdirSync(ssh);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const configure = (text: string) => writeFileSync(join(ssh, "config"), text);
const route = (given: object) => resolveRoute(reach.parse(given), { HOME: home });
/** `user@address:port` of each host, the first dialled in front. */
const stops = ({ target, via }: Route): string[] => [
    ...(via ? stops(via) : []),
    `${target.user}@${target.address}:${target.port}${target.isHop ? "" : " goal"}`,
];

describe("a route", () => {
    it("is direct when nobody says otherwise", () => {
        expect(stops(route({ host: "alpha" }))).toEqual(["root@alpha:22 goal"]);
    });

    it("leads through the hops of the program, whose own settings come from ssh's configuration", () => {
        configure("Host outer\n  HostName 192.0.2.1\n  User jump\nHost inner\n  Port 2222\n  ProxyJump elsewhere\n");
        expect(stops(route({ host: "alpha", via: ["outer", { host: "inner", user: "dev" }] }))).toEqual([
            "jump@192.0.2.1:22",
            "dev@inner:2222",
            "root@alpha:22 goal",
        ]);
    });

    it("leads through ProxyJump of the host and of its first hop", () => {
        configure("Host alpha\n  ProxyJump dev@inner:2222\nHost inner\n  ProxyJump outer,middle\n");
        expect(stops(route({ host: "alpha" }))).toEqual(["root@outer:22", "root@middle:22", "dev@inner:2222", "root@alpha:22 goal"]);
        expect(stops(route({ host: "alpha", via: [] }))).toEqual(["root@alpha:22 goal"]);
        expect(stops(route({ host: "alpha", via: "none" }))).toEqual(["root@alpha:22 goal"]);
    });

    it("that leads back to itself ends with a sentence", () => {
        configure("Host *\n  ProxyJump bastion\n");
        expect(() => route({ host: "alpha" })).toThrow(/more than 8 jump hosts/);
    });

    it("takes of ProxyJump and ProxyCommand the first", () => {
        configure("Host alpha\n  ProxyCommand nc %h %p\n  ProxyJump bastion\nHost beta\n  ProxyJump none\n  ProxyCommand nc %h %p\n");
        expect(route({ host: "alpha" })).toMatchObject({ via: undefined, target: { proxy: { kind: "command", command: "nc alpha 22" } } });
        expect(route({ host: "beta" })).toMatchObject({ via: undefined, target: { proxy: { kind: "none" } } });
        expect(stops(route({ host: "alpha", via: "bastion" }))).toEqual(["root@bastion:22", "root@alpha:22 goal"]);
    });

    it("has a ProxyCommand with its tokens filled in, and none that a shell would read otherwise", () => {
        configure(
            "Host alpha\n  HostName 192.0.2.7\n  User dev\n  ProxyCommand run -l %r %n 100%% '%h' %p\nHost *\n  ProxyCommand nc %h %p\n",
        );
        expect(route({ host: "alpha" }).target.proxy).toEqual({ kind: "command", command: "run -l dev alpha 100% '192.0.2.7' 22" });
        expect(() => route({ host: "a;reboot" })).toThrow(/would put characters into it/);
        expect(() => route({ host: "-oProxy" })).toThrow(/would put characters into it/);
        expect(() => route({ host: "$(reboot)" })).toThrow(/would put characters into it/);
        configure("Host *\n  ProxyCommand nc %Z\n");
        expect(() => route({ host: "alpha" })).toThrow(/has %Z, which zeroform does not know/);
    });

    it("names a ProxyJump that is none", () => {
        configure("Host alpha\n  ProxyJump a:b:c\n");
        expect(() => route({ host: "alpha" })).toThrow(/ProxyJump that is no list of hosts: a:b:c/);
    });

    it("pins the keys of its hops by the names that known_hosts has them under; given ones win", () => {
        const via = ["outer", { host: "inner", port: 2222, hostKey: "ssh-ed25519 GIVEN" }];
        const hopKeys = ["outer ssh-ed25519 PINNED", "[inner]:2222 ssh-ed25519 OLD", "alpha ssh-ed25519 NOT"];
        const { target, via: inner } = route({ host: "alpha", via, hopKeys });
        expect([inner?.via?.target.hostKey, inner?.target.hostKey, target.hostKey]).toEqual([
            "ssh-ed25519 PINNED",
            "ssh-ed25519 GIVEN",
            undefined,
        ]);
    });

    it("is another one when a secret on it is another, without having the secret in its name", () => {
        const with_ = (privateKey: string, passphrase: string) =>
            wayOf(route({ host: "alpha", privateKey: "own", via: [{ host: "b", privateKey, passphrase }] }));
        expect(with_("KEY1", "WORD1")).toBe(with_("KEY1", "WORD1"));
        expect(new Set([with_("KEY1", "WORD1"), with_("KEY2", "WORD1"), with_("KEY1", "WORD2")]).size).toBe(3);
        expect(with_("KEY1", "WORD1")).not.toMatch(/KEY1|WORD1|own"/);
        const pinned = (hostKey: string) => wayOf(route({ host: "alpha", via: [{ host: "b", hostKey }] }));
        expect(pinned("ssh-ed25519 A")).toBe(pinned("ssh-ed25519 B"));
    });

    it("is told to other tools where they can follow it: one hop", () => {
        const one = destinationOf(route({ host: "alpha", via: [{ host: "b", user: "dev", privateKey: "k" }] }));
        expect(one).toMatchObject({ address: "alpha", hop: { address: "b", user: "dev", privateKey: "k" } });
        expect(destinationOf(route({ host: "alpha", via: ["a", "b"] })).hop).toBeUndefined();
    });

    it("is described with what is before it", () => {
        configure("Host outer\n  HostName 192.0.2.1\nHost gamma\n  ProxyCommand nc %h %p\n");
        const { target, via } = route({ host: "alpha", via: "outer,fe80::1%eth0" });
        expect(describeTarget(target)).toBe("alpha:22 through [fe80::1%eth0]:22");
        expect(via && describeTarget(via.target)).toBe("jump host [fe80::1%eth0]:22 through outer (192.0.2.1:22)");
        expect(describeTarget(route({ host: "gamma" }).target)).toBe("gamma:22 through its ProxyCommand");
    });
});

describe("an IPv6 address", () => {
    it("is written with or without brackets, and with a zone", () => {
        for (const host of ["fe80::1%eth0", "[fe80::1%eth0]"])
            expect(route({ host, port: 2222 }).target).toMatchObject({ address: "fe80::1%eth0", knownAs: "[fe80::1%eth0]:2222" });
        expect(route({ host: "2001:DB8::1" }).target.knownAs).toBe("2001:db8::1");
        configure("Host six\n  HostName fe80::2%%zf-br\n");
        expect(route({ host: "six" }).target.address).toBe("fe80::2%zf-br");
    });
});
