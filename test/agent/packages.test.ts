import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exec } from "../../dev/hosts/index.ts";
import type { ErrorFacts } from "../../protocol/errors.ts";
import { prefixOf } from "../prefix.ts";
import { AgentRig } from "./core/rig.ts";
import { placeBun, placeProgram } from "./in-host.ts";

interface Outcome {
    readonly missing: readonly string[];
    readonly said: readonly string[];
    readonly left?: readonly string[];
    readonly error?: ErrorFacts;
}

let rig: AgentRig;
let program: readonly string[];

beforeAll(async () => {
    rig = await AgentRig.start(prefixOf("ap"));
    program = [await placeBun(rig.host), await placeProgram(rig.host, "test/agent/core/packages-in-host.ts", "packages.js")];
    // A package source of the host's own: the test needs no network, and the machine's sources are not asked.
    await rig.sh("rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*; mkdir -p /srv/repo");
    await publish("zf-tool", "1");
    await rig.sh('echo "deb [trusted=yes] file:/srv/repo ./" > /etc/apt/sources.list.d/test.list');
});
afterAll(async () => {
    await rig?.stop();
});

/** Builds a package with one program and puts it into the source. */
const publish = (name: string, version: string) =>
    rig.sh(`
        d=$(mktemp -d); chmod 755 $d; mkdir -p $d/DEBIAN $d/usr/bin
        printf 'Package: ${name}\\nVersion: ${version}\\nArchitecture: all\\nMaintainer: test\\nDescription: test\\n' > $d/DEBIAN/control
        printf '#!/bin/sh\\necho ${version}\\n' > $d/usr/bin/${name}; chmod 755 $d/usr/bin/${name}
        f=${name}_${version}.deb; dpkg-deb --build $d /srv/repo/$f >/dev/null
        { cat $d/DEBIAN/control; echo "Filename: ./$f"; echo "Size: $(stat -c %s /srv/repo/$f)"; echo "SHA256: $(sha256sum /srv/repo/$f | cut -d' ' -f1)"; echo; } >> /srv/repo/Packages
        rm -r $d`);

const ensure = async (needed: Readonly<Record<string, string>>, lockWaitS = 60): Promise<Outcome> => {
    const { stdout, stderr } = await exec(rig.host, [...program, JSON.stringify(needed), String(lockWaitS)], { timeoutMs: 90_000 });
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout) as Outcome;
};

/** Takes a lock of the kind that dpkg takes: struct flock of fcntl(2), with its padding. */
const hold = (path: string, seconds: number) =>
    rig.sh(
        `rm -f /run/held; cat > /run/holder.pl; setsid perl /run/holder.pl >/dev/null 2>&1 </dev/null & until [ -s /run/held ]; do sleep 0.05; done`,
        `use Fcntl; open(F, q(>>), q(${path})) or die; my $l = pack(q(s s x4 q q l x4), F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $l) or die; open(G, q(>), q(/run/held)); print G $$; close G; sleep ${seconds}`,
    );

describe("OS packages", () => {
    it("that are there are left alone", async () => {
        expect(await ensure({ mount: "mount", e2fsprogs: "mke2fs" })).toEqual({ missing: [], said: [], left: [] });
    });

    it("that are missing are installed, with the lists updated when those are too old", async () => {
        expect(await ensure({ "zf-tool": "zf-tool" })).toEqual({
            missing: ["zf-tool"],
            said: ["updating the lists of OS packages"],
            left: [],
        });
    });

    it("that are installed are never upgraded", async () => {
        await publish("zf-tool", "2");
        await publish("zf-other", "1");
        await rig.sh("apt-get -q update");
        expect(await ensure({ "zf-tool": "zf-tool", "zf-other": "zf-other" })).toMatchObject({ missing: ["zf-other"], left: [] });
        expect(await rig.sh("zf-tool")).toBe("1");
    });

    it("wait for another user of the package manager, and say so", async () => {
        await publish("zf-late", "1");
        await rig.sh("apt-get -q update");
        await hold("/var/lib/dpkg/lock-frontend", 5);
        const outcome = await ensure({ "zf-late": "zf-late" });
        expect(outcome).toMatchObject({ missing: ["zf-late"], left: [] });
        expect(outcome.said).toContainEqual(expect.stringMatching(/^waiting for perl \(pid \d+\), which uses the package manager$/));
    });

    it("wait for who updates the lists, for which apt itself does not wait", async () => {
        await publish("zf-later", "1");
        await hold("/var/lib/apt/lists/lock", 5);
        const outcome = await ensure({ "zf-later": "zf-later" });
        expect(outcome).toMatchObject({ missing: ["zf-later"], left: [] });
        expect(outcome.said).toContainEqual(expect.stringMatching(/^waiting for perl \(pid \d+\)/));
    });

    it("do not wait for ever: who holds the lock is named", async () => {
        await publish("zf-never", "1");
        await rig.sh("apt-get -q update");
        await hold("/var/lib/dpkg/lock-frontend", 60);
        const { error } = await ensure({ "zf-never": "zf-never" }, 2);
        await rig.sh("kill $(cat /run/held)");
        expect(error).toMatchObject({ code: "BUSY", retryable: true });
        expect(error?.message).toMatch(/^the package manager has been in use by perl \(pid \d+\) for 2 s$/);
    });

    it("whose sources cannot be reached are named, and tried again later", async () => {
        await rig.sh('echo "deb [trusted=yes] http://127.0.0.1:9/ ./" > /etc/apt/sources.list.d/dead.list');
        const { error } = await ensure({ "zf-far": "zf-far" });
        await rig.sh("rm /etc/apt/sources.list.d/dead.list");
        expect(error).toMatchObject({ code: "PACKAGE_MISSING", retryable: true });
        expect(error?.message).toMatch(/zf-far could not be installed: the package sources cannot be reached: .*127\.0\.0\.1/);
    });

    it("cannot be installed beside an installation that was cut off: it is said how to end that", async () => {
        await publish("zf-beside", "1");
        await rig.sh("apt-get -q update; touch /var/lib/dpkg/updates/0001");
        const { error } = await ensure({ "zf-beside": "zf-beside" });
        expect(error).toMatchObject({ code: "PACKAGE_MISSING", hint: expect.stringContaining("Run `dpkg --configure -a` on the node") });
        await rig.sh("rm /var/lib/dpkg/updates/0001");
        expect(await ensure({ "zf-beside": "zf-beside" })).toMatchObject({ left: [] });
    });

    it("are left to a person where the machine has another package manager, by the names that it has for them", async () => {
        await rig.sh("mv /usr/bin/apt-get /usr/bin/apt-get.away; printf '#!/bin/sh\n' > /usr/bin/zypper; chmod 755 /usr/bin/zypper");
        const { error } = await ensure({ mount: "zf-losetup", "btrfs-progs": "zf-mkfs" });
        await rig.sh("mv /usr/bin/apt-get.away /usr/bin/apt-get; rm /usr/bin/zypper");
        expect(error).toMatchObject({ code: "PACKAGE_MISSING", retryable: false });
        expect(error?.message).toMatch(/installs packages by zypper/);
        expect(error?.hint).toContain("Run `zypper install util-linux btrfsprogs` on the node");
    });

    it("that nobody has are named, with the command and apt's own words", async () => {
        const { error } = await ensure({ "zf-nowhere": "zf-nowhere" });
        expect(error).toMatchObject({ code: "PACKAGE_MISSING", hint: expect.stringContaining("apt-get install zf-nowhere") });
        expect(error?.message).toMatch(/zf-nowhere could not be installed: Unable to locate package zf-nowhere/);
    });
});
