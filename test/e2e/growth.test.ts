import { describe, expect, it } from "vitest";
import { AgentSession } from "./agent.ts";
import { host, type Machine, machineOf, sh, until } from "./hosts.ts";
import { type Program, Stack } from "./stack.ts";
import { withClient } from "./with-client.ts";

interface Values {
    readonly machine: Machine;
    readonly size: string;
    readonly nodeTimeout?: string;
    readonly pool?: string;
}

const program: Program<Values> = ({ zeroform }, { machine, size, nodeTimeout = "5m", ...more }) => {
    const node = new zeroform.Node("node", { ...machine, trash: "0s", timeouts: { create: nodeTimeout } });
    const disk = new zeroform.ZMount("disk", { node, size, timeouts: { update: "20s" }, ...more });
    const db = new zeroform.Zdb("events", { mount: disk, size: "8MiB", oversubscribe: true, listen: machine.host });
    return { path: disk.path, url: db.url };
};

const MOUNTED = "findmnt -bno SIZE $(grep -o '/var/lib/zeroform/mounts/[^ ]*' /proc/mounts)";

describe("growth", () => {
    it("leaves a Zdb on the mount unchanged in the preview, and is real afterwards", async () => {
        const on = await host();
        await using stack = await Stack.create();
        const machine = machineOf(on);
        await stack.program(program, { machine, size: "32MiB" });
        await stack.up();
        const before = Number(await sh(on, MOUNTED));
        await stack.program(program, { machine, size: "64MiB" });
        expect(await stack.plan()).toEqual({ node: "same", disk: "update", events: "same" });
        await stack.up();
        expect(Number(await sh(on, MOUNTED))).toBeGreaterThan(before * 1.7);
        expect(await stack.plan()).toEqual({ node: "same", disk: "same", events: "same" });
        await stack.program(program, { machine, size: "32MiB" });
        const refused = await stack.fails(["preview"]);
        expect(refused).toMatch(/size only grows and is 64MiB/);
        await stack.program(program, { machine, size: "64MiB", nodeTimeout: "10m" });
        expect(await stack.plan()).toMatchObject({ node: "update", disk: "same", events: "same" });
        await stack.destroy();
    });

    it("in another pool, where its data go with it, is an update that says how far it is", async () => {
        const on = await host();
        await using stack = await Stack.create();
        const machine = machineOf(on);
        await sh(
            on,
            "fallocate -l 1G /var/lib/pool.img; mkfs.ext4 -qF /var/lib/pool.img; mkdir -p /mnt/pool; mount -o loop /var/lib/pool.img /mnt/pool",
        );
        await stack.program(program, { machine, size: "512MiB" });
        await stack.up();
        const url = await stack.revealed<string>("url");
        await withClient(url, (client) => client.set("key", "precious"));
        // So much that its copy outlasts the pause between two status lines on any disk.
        await sh(on, "head -c 400M /dev/urandom > $(grep -o '/var/lib/zeroform/mounts/[^ ]*' /proc/mounts)/more");
        await stack.program(program, { machine, size: "544MiB", pool: "/mnt/pool" });
        expect(await stack.plan()).toEqual({ node: "same", disk: "update", events: "same" });
        const { output } = await stack.up();
        expect(output).toMatch(/copying its data while in use to \/mnt\/pool\/zeroform: \S+ of 512MiB/);
        expect(await sh(on, "ls /mnt/pool/zeroform; ls /var/lib/zeroform/pool")).toMatch(/^\w+\.img$/m);
        expect(await withClient(url, (client) => client.get("key"))).toBe("precious");
        expect(await stack.plan()).toEqual({ node: "same", disk: "same", events: "same" });
        await stack.refresh("--expect-no-changes");
        await stack.destroy();
        await sh(on, "umount /mnt/pool; rm /var/lib/pool.img");
    });

    it("that failed half-way is kept, a shrink below it is refused, and a further growth finishes it", async () => {
        const on = await host();
        await using stack = await Stack.create();
        const machine = machineOf(on);
        await stack.program(program, { machine, size: "32MiB" });
        await stack.up();
        await sh(on, "mv /usr/sbin/resize2fs /usr/sbin/resize2fs.away");
        try {
            await stack.program(program, { machine, size: "96MiB" });
            expect(await stack.fails(["up", "--skip-preview"])).toMatch(/resize2fs/);
        } finally {
            await sh(on, "mv /usr/sbin/resize2fs.away /usr/sbin/resize2fs");
        }
        await stack.program(program, { machine, size: "64MiB" });
        expect(await stack.fails(["up", "--skip-preview"])).toMatch(/96MiB/);
        await stack.program(program, { machine, size: "128MiB" });
        await stack.up();
        expect(Number(await sh(on, MOUNTED))).toBeGreaterThan(110 * 2 ** 20);
        expect(await stack.plan()).toEqual({ node: "same", disk: "same", events: "same" });
        await stack.destroy();
    });

    it("cut in the middle by kill -9 is finished by the agent, and refresh and up agree with it", async () => {
        const on = await host();
        await using stack = await Stack.create();
        await using agent = new AgentSession(on);
        const machine = machineOf(on);
        await stack.program(program, { machine, size: "32MiB" });
        await stack.up();
        await agent.request("reconciler.pause", {});
        await stack.program(program, { machine, size: "64MiB" });
        const run = stack.start(["up", "--skip-preview"]);
        await until(async () =>
            (await agent.status()).resources.some(({ kind, state }) => kind === "ZMount" && state === "unfinished") ? true : undefined,
        );
        run.child.kill("SIGKILL");
        await run.ended;
        await agent.request("reconciler.resume", {});
        await stack.run(["cancel"]);
        await until(async () => (Number(await sh(on, MOUNTED)) > 55 * 2 ** 20 ? true : undefined));
        await stack.refresh("--clear-pending-creates");
        expect((await stack.resource("disk")).inputs).toMatchObject({ size: "64MiB" });
        await stack.up();
        expect(await stack.plan()).toEqual({ node: "same", disk: "same", events: "same" });
        await stack.destroy();
    });
});
