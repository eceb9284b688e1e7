import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exec, powerOff, powerOn } from "../../dev/hosts/index.ts";
import type { ResourceReport } from "../../protocol/api.ts";
import { mintSessionId } from "../../protocol/ids.ts";
import { prefixOf } from "../prefix.ts";
import { redisOf } from "./core/redis-of.ts";
import { AgentRig, bundled, type Channel, urnOf } from "./core/rig.ts";

const ADDRESS_ANY = "0.0.0.0";

let rig: AgentRig;
let channel: Channel;
let disk: ResourceReport;
let db: ResourceReport;

beforeAll(async () => {
    rig = await AgentRig.start(prefixOf("a"));
});
afterAll(async () => {
    await rig?.stop();
});

const client = () => redisOf(rig.host, db);

const pidOf = (unit: string) => rig.sh(`systemctl show -p MainPID --value '${unit}'`);
const storeUnit = () => rig.sh("systemctl list-units --plain --no-legend 'zeroform-zdb@*' | cut -d' ' -f1");
const eventually = (what: () => Promise<unknown>) => expect.poll(what, { timeout: 30_000, interval: 100 });

describe("install", () => {
    it("makes the bundle the machine's agent, and is done when it answers", async () => {
        const hash = await rig.install();
        channel = await rig.channel();
        expect(await channel.client.welcome).toMatchObject({ agentHash: hash, store: "ok" });
        expect(await rig.sh("systemctl is-enabled zeroform-agent zeroform.target")).toBe("enabled\nenabled");
        expect(await rig.sh("stat -c %a /run/zeroform /run/zeroform/agent.sock /var/lib/zeroform/store.db")).toBe("700\n600\n600");
    });

    it("again changes nothing, and does not start the agent anew", async () => {
        const before = await pidOf("zeroform-agent");
        await rig.install();
        expect(await pidOf("zeroform-agent")).toBe(before);
    });

    it("of another bundle replaces it, keeps the one before and no older one", async () => {
        await channel.node();
        const first = await rig.sh("readlink /var/lib/zeroform/current");
        const session = mintSessionId();
        const before = await rig.channel(session);
        for (const mark of ["second", "third"]) {
            const hash = await rig.install(await bundled(mark));
            expect(await rig.sh("basename $(readlink /var/lib/zeroform/current)")).toBe(hash);
        }
        await rig.install();
        expect(await rig.sh("readlink /var/lib/zeroform/current")).toBe(first);
        expect((await rig.sh("ls /var/lib/zeroform/agents")).split("\n")).toHaveLength(2);
        expect(await rig.sh("ls /var/lib/zeroform/runtimes")).toBe("test");
        await before.client.closed;
        const again = await rig.channel(session);
        expect((await again.client.welcome).epoch).toBe((await before.client.welcome).epoch);
    });
});

describe("a machine with resources", () => {
    beforeAll(async () => {
        const { machine, tenant } = channel;
        channel = await rig.channel();
        expect(channel.machine).toBe(machine);
        channel.tenant = tenant;
        disk = await channel.create("ZMount", "disk", { size: "64MiB" });
        db = await channel.create("Zdb", "events", { mount: channel.idOf(disk), size: "16MiB", oversubscribe: true, listen: ADDRESS_ANY });
    });

    it("has them ready, and says so", async () => {
        expect([disk.state, db.state]).toEqual(["ready", "ready"]);
        const redis = client();
        await redis.set("key", "value");
        expect(await redis.get("key")).toBe("value");
        redis.disconnect();
        const { resources } = await channel.ask("status", {});
        expect(resources.map(({ name, state }) => [name, state])).toEqual([
            ["disk", "ready"],
            ["events", "ready"],
        ]);
    });

    it("does not feel the kill of its agent under load, and its agent goes on where it was", async () => {
        const redis = client();
        const server = await pidOf(await storeUnit());
        let written = 0;
        let writing = true;
        const load = (async () => {
            for (; writing; written++) await redis.set(`load${written}`, "x".repeat(100));
        })();
        const session = mintSessionId();
        const operation = mintSessionId();
        for (let kills = 0; kills < 5; kills++) {
            const maker = await rig.channel(session);
            const create = maker.ask("resource.create", createOf(maker, operation));
            create.catch(() => undefined);
            await rig.sh(`sleep 0.0${kills}5; systemctl kill -s KILL zeroform-agent`);
            await maker.client.closed;
        }
        writing = false;
        await load;
        expect(written).toBeGreaterThan(100);
        expect(await pidOf(await storeUnit())).toBe(server);
        expect(await redis.get(`load${written - 1}`)).toBe("x".repeat(100));
        redis.disconnect();

        const maker = await rig.channel(session);
        const made = await maker.ask("resource.create", createOf(maker, operation));
        expect(made.state).toBe("ready");
        const { resources } = await maker.ask("status", {});
        expect(resources.filter(({ name }) => name === "killed")).toHaveLength(1);
        await maker.remove(made);
        channel = maker;
    });

    const createOf = (maker: Channel, operation: string) => {
        maker.tenant = channel.tenant;
        return {
            caller: maker.caller,
            kind: "ZMount" as const,
            urn: urnOf("ZMount", "killed"),
            name: "killed",
            operation,
            spec: { node: `${maker.machine}/${maker.tenant}`, size: "32MiB" },
            waitMs: 60_000,
            trashMs: 0,
            settings: { installPackages: true },
        };
    };

    it("heals what is broken by hand, at once and in order", async () => {
        const path = String(disk.outputs.path);
        await rig.sh(`umount -l ${path}`);
        const began = Date.now();
        await eventually(async () => (await exec(rig.host, ["mountpoint", "-q", path])).code).toBe(0);
        await eventually(
            async () =>
                (await channel.read(db)).found && (await channel.ask("status", {})).resources.every(({ state }) => state === "ready"),
        ).toBe(true);
        expect(Date.now() - began).toBeLessThan(15_000);
        const redis = client();
        expect(await redis.get("key")).toBe("value");
        redis.disconnect();
        const { events } = await channel.ask("status", {});
        expect(events.filter(({ what }) => what === "healed").map(({ name }) => name)).toContain("disk");
    });

    it("keeps its stores running through an upgrade of the agent, and says which ones run the older program", async () => {
        const unit = await storeUnit();
        const server = await pidOf(unit);
        await rig.install(await bundled("upgraded"));
        await resume();
        expect(await pidOf(unit)).toBe(server);
        expect((await channel.ask("status", {})).awaitingRestart).toEqual([unit]);
        await rig.sh(`systemctl restart '${unit}'`);
        await eventually(async () => (await channel.ask("status", {})).awaitingRestart).toEqual([]);
    });

    it("stops its agent within a moment, with everything else untouched", async () => {
        const server = await pidOf(await storeUnit());
        const began = Date.now();
        await rig.sh("systemctl stop zeroform-agent");
        expect(Date.now() - began).toBeLessThan(3_000);
        expect(await rig.sh("systemctl show -p Result,ExecMainStatus --value zeroform-agent")).toBe("success\n0");
        expect(await pidOf(await storeUnit())).toBe(server);
        await rig.sh("systemctl start zeroform-agent");
        await resume();
    });

    it("has mounts and stores up after a boot with a broken agent", async () => {
        const dropIn = "/etc/systemd/system/zeroform-agent.service.d";
        await rig.sh(`mkdir -p ${dropIn}; printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' > ${dropIn}/broken.conf`);
        await powerOff(rig.host);
        await powerOn(rig.host);
        const redis = client();
        expect(await redis.get("key")).toBe("value");
        redis.disconnect();
        await rig.sh(`mountpoint -q ${String(disk.outputs.path)}`);
        expect(await rig.sh("systemctl is-active zeroform-agent || true")).not.toBe("active");
        await rig.sh(`rm -r ${dropIn}; systemctl daemon-reload; systemctl restart zeroform-agent`);
        await resume();
    });

    it("comes up by itself after a power loss", async () => {
        await powerOff(rig.host);
        await powerOn(rig.host);
        const redis = client();
        expect(await redis.get("key")).toBe("value");
        redis.disconnect();
        await resume();
        await eventually(async () => (await channel.ask("status", {})).resources.every(({ state }) => state === "ready")).toBe(true);
    });

    it("without its store is another machine until the store comes back", async () => {
        await rig.sh(
            "systemctl stop zeroform-agent; mkdir /root/away; mv /var/lib/zeroform/store.db* /root/away; systemctl start zeroform-agent",
        );
        const observer = await rig.channel();
        expect(await observer.client.welcome).toMatchObject({ store: "lost", machine: channel.machine });
        observer.tenant = channel.tenant;
        await expect(observer.read(db)).rejects.toMatchObject({ code: "MACHINE_CHANGED" });
        await rig.sh("systemctl stop zeroform-agent; mv /root/away/store.db* /var/lib/zeroform/; systemctl start zeroform-agent");
        await resume();
        expect(await channel.read(db)).toMatchObject({ found: true });
    });

    it("whose disk was copied does nothing until it is said what it is", async () => {
        const id = await rig.sh("cat /etc/machine-id");
        await rig.sh("echo ffffffffffffffffffffffffffffffff > /etc/machine-id; systemctl restart zeroform-agent");
        const observer = await rig.channel();
        expect(await observer.client.welcome).toMatchObject({ store: "copied" });
        expect(await rig.sh("/var/lib/zeroform/current/zeroform-agent claim same")).toBe(`this machine is ${channel.machine}`);
        await rig.sh(`echo ${id} > /etc/machine-id; /var/lib/zeroform/current/zeroform-agent claim same; systemctl restart zeroform-agent`);
        await rig.sh("sleep 1; /var/lib/zeroform/current/zeroform-agent claim same");
        await resume();
        expect(await channel.read(db)).toMatchObject({ found: true });
    });

    it("takes an image that was deleted by hand for gone, and makes another", async () => {
        const lost = await channel.create("ZMount", "lost", { size: "32MiB" });
        await rig.sh(`rm /var/lib/zeroform/pool/${lost.life}.img`);
        expect(await channel.read(lost)).toMatchObject({ found: true, state: "unfinished" });
        await rig.sh(`umount ${String(lost.outputs.path)}`);
        expect(await channel.read(lost)).toEqual({ found: false });
        const again = await channel.create("ZMount", "lost", { size: "32MiB" });
        expect(again.state).toBe("ready");
        await channel.remove(again);
    });

    it("gives data back from the trash", async () => {
        const redis = client();
        await redis.set("precious", "data");
        redis.disconnect();
        await channel.remove(db, 3_600_000);
        const old = db;
        db = await channel.create("Zdb", "events", { mount: channel.idOf(disk), size: "16MiB", oversubscribe: true, listen: ADDRESS_ANY });
        await channel.ask("trash.restore", { life: old.life });
        const restored = client();
        expect(await restored.get("precious")).toBe("data");
        restored.disconnect();
    });

    it("on a disk that is full goes on, says what it can, and takes up again when there is room", async () => {
        const free = Number(await rig.sh("df --output=avail -B1 /var/lib/zeroform | tail -n1"));
        await rig.sh(
            `fallocate -l ${free} /var/lib/zeroform/ballast || fallocate -l ${free - 2 ** 26} /var/lib/zeroform/ballast; cat /dev/zero > /var/lib/zeroform/rest || true`,
        );
        await expect(channel.create("ZMount", "large", { size: "64MiB" })).rejects.toMatchObject({
            code: expect.stringMatching(/NO_ROOM|DISK_FULL/),
        });
        const server = await pidOf(await storeUnit());
        await rig.sh("systemctl restart zeroform-agent");
        await resume();
        expect((await channel.ask("status", {})).resources).toHaveLength(2);
        await rig.sh("rm /var/lib/zeroform/ballast /var/lib/zeroform/rest");
        expect((await channel.read(disk)).found).toBe(true);
        expect(await pidOf(await storeUnit())).toBe(server);
        await eventually(async () => (await channel.ask("status", {})).resources.every(({ state }) => state === "ready")).toBe(true);
    });

    it("refuses to let its agent go while it is needed", async () => {
        const { code, stderr } = await exec(rig.host, ["/var/lib/zeroform/current/zeroform-agent", "uninstall"]);
        expect(code).toBe(1);
        expect(stderr).toContain("the agent is still needed: 1 Nodes, 2 resources");
        await resume();
    });

    it("is left with nothing when everything is removed", async () => {
        await channel.remove(db);
        await channel.remove(disk);
        expect(await channel.ask("node.delete", { caller: channel.caller, trashMs: 0 })).toMatchObject({ kept: [] });
        await channel.ask("session.end", { confirmed: [] });
        const looks = [
            "ls -A /var/lib/zeroform | grep -v lost+found",
            "ls -d /run/zeroform /run/zeroform-zdb 2>/dev/null",
            "cut -d: -f1 /etc/passwd /etc/group | grep zeroform",
            "ls /etc/systemd/system /etc/systemd/system/multi-user.target.wants | grep zeroform",
            "systemctl list-units --all --plain --no-legend 'zeroform*'",
            "grep zeroform/ /proc/mounts",
        ];
        const left = looks.map((look) => `${look} || true`).join("; ");
        await eventually(() => rig.sh(left)).toBe("");
    });

    /** Another process of the same program, after the agent or the machine has started anew. */
    const resume = async () => {
        const { tenant } = channel;
        rig.hangUp();
        await eventually(async () => (await exec(rig.host, ["test", "-S", "/run/zeroform/agent.sock"])).code).toBe(0);
        channel = await rig.channel();
        channel.tenant = tenant;
    };
});
