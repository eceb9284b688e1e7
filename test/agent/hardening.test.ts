import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ResourceReport } from "../../protocol/api.ts";
import { prefixOf } from "../prefix.ts";
import { redisOf } from "./core/redis-of.ts";
import { AgentRig, type Channel } from "./core/rig.ts";

const ZDBS = "/var/lib/zeroform/zdb";
const PROBE_DROP_IN = "/etc/systemd/system/zeroform-probe-.service.d";

/** What servers of ours may do, on a real host with the real agent: two tenants, a server each. */
describe("a server of ours", () => {
    let rig: AgentRig;
    let channels: readonly Channel[] = [];
    let dbs: readonly ResourceReport[] = [];
    let servers: readonly { readonly unit: string; readonly home: string }[] = [];
    beforeAll(async () => {
        rig = await AgentRig.start(prefixOf("hd"));
        await rig.install();
        channels = [await rig.channel(), await rig.channel()];
        for (const [index, channel] of channels.entries()) {
            await channel.node(`node${index}`);
            dbs = [...dbs, await channel.create("Zdb", "events", { size: "8MiB", listen: rig.host.address })];
            const homes = (await rig.sh(`ls -d ${ZDBS}/*/`)).split("\n").map((path) => path.replace(/\/$/, ""));
            const home = homes.find((each) => servers.every((known) => known.home !== each)) ?? "";
            servers = [...servers, { home, unit: `zeroform-zdb@${home.slice(ZDBS.length + 1)}.service` }];
        }
    });
    afterAll(() => rig?.stop());

    const server = (index: number) => servers[index] ?? { home: "", unit: "" };
    const pidOf = (index: number) => rig.sh(`systemctl show -p MainPID --value ${server(index).unit}`);
    /** Runs a script with the rights and the view of the system that a server has. */
    const as = async (index: number, script: string) =>
        rig.sh(
            `nsenter --target ${await pidOf(index)} --mount setpriv --reuid zeroform-zdb --regid zeroform-zdb --clear-groups --bounding-set=-all --no-new-privs /bin/sh -c '${script}' 2>&1`,
        );
    const serves = async () => {
        for (const db of dbs) {
            const redis = redisOf(rig.host, db);
            await redis.set("key", "value");
            expect(await redis.get("key")).toBe("value");
            redis.disconnect();
        }
    };
    const eventually = (what: () => Promise<unknown>) => expect.poll(what, { timeout: 60_000, interval: 200 });

    it("runs as its own user, without privileges and without a way to them", async () => {
        await serves();
        const status = await rig.sh(`cat /proc/${await pidOf(0)}/status`);
        const uid = await rig.sh("id -u zeroform-zdb");
        expect(uid).not.toBe("0");
        expect(status).toMatch(new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, "m"));
        for (const fact of ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"])
            expect(status).toContain(fact);
        const exposure = await rig.sh(`systemd-analyze security --no-pager ${server(0).unit} | tail -n1`);
        expect(Number(/: (\d+\.\d+) /.exec(exposure)?.[1])).toBeLessThan(2);
        expect(await rig.sh("getent passwd zeroform-zdb")).toMatch(/:zeroform engine:\/nonexistent:\/usr\/sbin\/nologin$/);
    });

    it("writes its own data and nothing else, and sees nobody's files", async () => {
        await rig.sh("mkdir -p /home/somebody /opt/open; touch /tmp/of-the-machine; chmod 777 /opt/open");
        const tried = await as(
            0,
            `for f in /etc/x /opt/open/x /var/tmp/../x /var/lib/x ${ZDBS}/x ${server(0).home}/x /run/x; do touch $f && echo wrote $f; done;
             touch ${server(0).home}/data/probe && rm ${server(0).home}/data/probe && echo own data;
             touch /tmp/private && rm /tmp/private && echo own tmp;
             ls /home /root /tmp; ls -d ${ZDBS}/*; ls /dev/sd* /dev/loop*; cat /var/lib/zeroform/node.key /var/lib/zeroform/store.db; true`,
        );
        expect(tried).not.toMatch(/^wrote /m);
        expect(tried).toMatch(/^own data\nown tmp$/m);
        expect(tried).not.toContain("somebody");
        expect(tried).not.toContain("of-the-machine");
        expect(tried).toContain(server(0).home);
        expect(tried).not.toContain(server(1).home);
        expect(tried).toMatch(/cannot access '\/dev\/loop/);
        expect(tried).toMatch(/node\.key: No such file/);
    });

    it("cannot look into another server of the same user", async () => {
        const pid = await pidOf(1);
        const seen = await as(0, `ls /proc/${pid}/root/var/lib/zeroform/zdb; cat /proc/${pid}/environ; true`);
        expect(seen).toMatch(/root.*: (No such file or directory|Permission denied)/);
        expect(seen).toMatch(/environ: (No such file or directory|Permission denied)/);
    });

    it("cannot speak with another server of the same user as the agent does", async () => {
        const runs = servers.map(({ home }) => `/run/zeroform-zdb${home.slice(ZDBS.length)}`);
        const asked = (run: string | undefined) =>
            as(0, `perl -MIO::Socket::UNIX -e "print IO::Socket::UNIX->new(q(${run}/admin.sock)) ? q(heard) : \\$!"`);
        expect(await asked(runs[0])).toBe("heard");
        expect(await asked(runs[1])).toBe("No such file or directory");
        expect(`/run/zeroform-zdb/${await as(0, "ls /run/zeroform-zdb")}`).toBe(runs[0]);
        expect(await as(0, `touch ${runs[0]}/probe && rm ${runs[0]}/probe && echo own; touch /run/zeroform-zdb/x; true`)).toMatch(
            /^own\n.*(Read-only|denied)/,
        );
    });

    it("has its key and its parameters to itself, and the agent's socket to no one", async () => {
        expect(await rig.sh("stat -c '%U %a' /var/lib/zeroform/services/zdb-*.json /var/lib/zeroform/services/zdb-*.key | sort -u")).toBe(
            "zeroform-zdb 600",
        );
        expect(await rig.sh("cat /var/lib/zeroform/services/zdb-*.json")).not.toContain("node.key");
        expect(await as(0, "ls /run/zeroform; true")).toContain("Permission denied");
        expect(await rig.sh(`stat -c '%U %a' /run/zeroform-zdb/*/admin.sock | sort -u`)).toBe("zeroform-zdb 600");
    });

    it("gets limits while it serves, the largest that is asked for, and loses them when nobody asks any more", async () => {
        const { unit } = server(0);
        const [channel] = channels;
        const [first] = dbs;
        if (!channel || !first) throw new Error("no Zdb");
        const show = () =>
            rig.sh(`systemctl show -p MemoryMax -p MemoryHigh -p CPUQuotaPerSecUSec -p IOWeight -p NeedDaemonReload ${unit}`);
        const before = await show();
        const pid = await pidOf(0);
        const redis = redisOf(rig.host, first);
        await redis.set("key", "before");
        let ends = 0;
        redis.on("close", () => ends++);
        const spec = { size: "8MiB", listen: rig.host.address };
        const second = await channel.create("Zdb", "limited", { ...spec, limits: { memory: "512MiB", cpu: 0.5, ioWeight: 50 } });
        // Test hosts have none of the controllers: it is ready all the same, and everybody is told.
        const note =
            "this machine has no cgroup v2 controller for memory, cpu, io, so it does not keep limits.memory and limits.cpu and limits.ioWeight";
        expect(second).toMatchObject({ state: "ready", reasons: [], notes: [note] });
        const status = await channel.ask("status", {});
        expect(status.facts.controllers?.join(" ")).toBe(await rig.sh("cat /sys/fs/cgroup/cgroup.controllers"));
        expect(status.resources.find(({ life }) => life === second.life)).toMatchObject({ state: "ready", notes: [note] });
        expect(status.events).toContainEqual(expect.objectContaining({ what: "note", life: second.life, detail: `Zdb: ${note}` }));
        const limited = "CPUQuotaPerSecUSec=500ms\nIOWeight=50\nMemoryHigh=429496729\nMemoryMax=536870912\nNeedDaemonReload=no"
            .split("\n")
            .sort();
        expect((await show()).split("\n").sort()).toEqual(limited);
        const third = await channel.create("Zdb", "more", { ...spec, limits: { memory: "256MiB", cpu: 2 } });
        expect(await show()).toMatch(/MemoryMax=536870912/);
        expect(await show()).toMatch(/CPUQuotaPerSecUSec=2s/);
        // Somebody's hand, and the next look.
        await rig.sh(`rm /etc/systemd/system/${unit}.d/zeroform-limits.conf; systemctl daemon-reload`);
        expect(await show()).toBe(before);
        await eventually(show).toMatch(/MemoryMax=536870912/);
        await channel.remove(second);
        expect(await show()).toMatch(/MemoryMax=268435456/);
        expect(await show()).toMatch(/IOWeight=\[not set\]/);
        // What it has now is what a boot finds.
        await rig.sh("systemctl daemon-reload");
        expect(await show()).toMatch(/MemoryMax=268435456/);
        await channel.remove(third);
        expect(await show()).toBe(before);
        expect(await redis.get("key")).toBe("before");
        expect(ends).toBe(0);
        expect(await pidOf(0)).toBe(pid);
        redis.disconnect();
    });

    it("takes over data of a release whose servers ran as root, without following what lies there", async () => {
        const { home, unit } = server(0);
        await rig.sh(
            `systemctl stop zeroform-agent ${unit}; chown -R root:root ${home}; touch /opt/of-root; ln -s /opt/of-root ${home}/data/link`,
        );
        await rig.sh(`systemctl start ${unit}; until [ -S /run/zeroform-zdb${home.slice(ZDBS.length)}/admin.sock ]; do sleep 0.1; done`);
        expect(await rig.sh(`find ${home}/data ! -user zeroform-zdb; stat -c %U /opt/of-root ${home}`)).toBe("root\nroot");
        await rig.sh(`rm ${home}/data/link; systemctl start zeroform-agent`);
        await serves();
    });

    it("runs with less where it cannot have a view of its own, and says so", async () => {
        // The trial that the agent makes, and any unit like it, really ends with status 226 then.
        await rig.sh(`mkdir -p ${PROBE_DROP_IN}; printf '[Service]\\nBindPaths=/nowhere\\n' > ${PROBE_DROP_IN}/broken.conf`);
        const { unit } = server(0);
        await rig.sh("systemctl restart zeroform-agent");
        await eventually(() => rig.sh(`systemctl cat ${unit}`)).not.toContain("ProtectSystem");
        expect(await rig.sh("journalctl -u zeroform-agent -o cat --no-pager")).toContain("does not let systemd give services a view");
        await rig.sh(`systemctl restart ${unit}`);
        await serves();
        expect(await rig.sh(`readlink /proc/${await pidOf(0)}/ns/mnt`)).toBe(await rig.sh("readlink /proc/1/ns/mnt"));
        expect(await rig.sh(`stat -c %U /proc/${await pidOf(0)}/stat; grep CapEff /proc/${await pidOf(0)}/status`)).toMatch(
            /0000000000000000/,
        );
        await rig.sh(`rm -r ${PROBE_DROP_IN}; systemctl restart zeroform-agent`);
        await eventually(() => rig.sh(`systemctl cat ${unit}`)).toContain("ProtectSystem");
    });
});
