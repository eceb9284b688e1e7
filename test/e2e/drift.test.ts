import { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { AgentSession } from "./agent.ts";
import { host, type Machine, machineOf, sh, until } from "./hosts.ts";
import { type Program, Stack } from "./stack.ts";

const program: Program<{ machine: Machine }> = ({ zeroform }, { machine }) => {
    const node = new zeroform.Node("node", { ...machine, trash: "0s" });
    const disk = new zeroform.ZMount("disk", { node, size: "64MiB" });
    const db = new zeroform.Zdb("events", { mount: disk, size: "8MiB", oversubscribe: true, listen: machine.host, port: 9960 });
    return { url: db.url, path: disk.path };
};

/** What a hand can do wrong on a node, and how one sees that it was mended. */
const drifts: readonly { readonly what: string; readonly break: (path: string) => string }[] = [
    { what: "the mount taken away under a running store", break: (path) => `umount -l ${path}` },
    { what: "the store's server stopped", break: () => "systemctl stop 'zeroform-zdb@*'" },
    { what: "the store's server killed", break: () => "systemctl kill -s KILL 'zeroform-zdb@*'" },
    {
        what: "the mount's unit file removed",
        break: (path) => `rm -f /etc/systemd/system/*$(basename ${path}).mount; systemctl daemon-reload; umount -l ${path}`,
    },
    {
        what: "the server's parameters removed",
        break: () => "rm -f /var/lib/zeroform/services/zdb-*.json; systemctl stop 'zeroform-zdb@*'",
    },
    {
        what: "the agent killed together with the store",
        break: () => "systemctl kill -s KILL zeroform-agent; systemctl kill -s KILL 'zeroform-zdb@*'",
    },
];

describe("drift", () => {
    it("made by hand is mended without anyone asking, and no plan shows it", async () => {
        const on = await host();
        await using stack = await Stack.create();
        await using agent = new AgentSession(on);
        await stack.program(program, { machine: machineOf(on) });
        await stack.up();
        const [url, path] = [await stack.revealed<string>("url"), await stack.revealed<string>("path")];
        await withClient(url, (client) => client.set("key", "kept"));
        for (const { what, break: line } of drifts) {
            await sh(on, line(path));
            // The mount first: a store on a mount that was taken away may answer a moment longer.
            const mended = async () => {
                if ((await sh(on, `findmnt -no FSTYPE ${path} || true`)) !== "ext4") return undefined;
                return withClient(url, (client) => client.get("key")).catch(() => undefined);
            };
            const state = "systemctl list-units --all --no-pager 'zeroform*'; journalctl --no-pager | tail -40";
            const value = await until(mended, 45_000).catch(() => sh(on, state));
            expect(value, what).toBe("kept");
        }
        await until(async () =>
            (await agent.status().catch(() => undefined))?.resources.every(({ state }) => state === "ready") ? true : undefined,
        );
        await stack.refresh("--expect-no-changes");
        expect(await stack.plan()).toEqual({ node: "same", disk: "same", events: "same" });
        const { events } = await agent.status();
        expect(events.some(({ what }) => what === "healed")).toBe(true);
        await stack.destroy();
    });

    it("that cannot be mended shows in a refresh, and the next up goes on", async () => {
        const on = await host();
        await using stack = await Stack.create();
        await stack.program(program, { machine: machineOf(on) });
        await stack.up();
        await sh(on, "mv /usr/sbin/e2fsck /usr/sbin/e2fsck.away; mv /usr/bin/mount /usr/bin/mount.away");
        try {
            await sh(on, `umount -l ${await stack.revealed<string>("path")}`);
            await stack.refresh();
            expect((await stack.resource("disk")).inputs).toHaveProperty("__unfinished");
            expect(await stack.plan()).toMatchObject({ disk: "update" });
        } finally {
            await sh(on, "mv /usr/sbin/e2fsck.away /usr/sbin/e2fsck; mv /usr/bin/mount.away /usr/bin/mount");
        }
        await stack.up();
        expect(await stack.plan()).toEqual({ node: "same", disk: "same", events: "same" });
        await stack.destroy();
    });

    it("a resource that disappeared is gone after a refresh and made again by the next up", async () => {
        const on = await host();
        await using stack = await Stack.create();
        await stack.program(program, { machine: machineOf(on) });
        await stack.up();
        const old = await stack.resource("disk");
        await sh(on, "systemctl stop 'zeroform-zdb@*'; umount -l /var/lib/zeroform/mounts/*; rm -f /var/lib/zeroform/pool/*.img");
        await stack.refresh();
        expect((await stack.state()).map(({ type }) => type.split(":").at(-1))).not.toContain("ZMount");
        expect(await stack.plan()).toMatchObject({ disk: "create" });
        await stack.program(program, { machine: machineOf(on) });
        await stack.run(["up", "--skip-preview"]);
        expect((await stack.resource("disk")).id).not.toBe(old.id);
        await stack.destroy();
    });
});

const withClient = async <T>(url: string, use: (client: Redis) => Promise<T>): Promise<T> => {
    const client = new Redis(url, { connectTimeout: 500, maxRetriesPerRequest: 0, retryStrategy: () => null, lazyConnect: true });
    client.on("error", () => undefined);
    try {
        await client.connect();
        return await use(client);
    } finally {
        client.disconnect();
    }
};
