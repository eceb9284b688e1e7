import { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { expectNothingLeft, host, hosts, type Machine, machineOf } from "./hosts.ts";
import { type Program, Stack } from "./stack.ts";

const program: Program<{ machine: Machine; port?: number }> = ({ zeroform }, { machine, port }) => {
    const node = new zeroform.Node("node", { ...machine, trash: "0s" });
    const disk = new zeroform.ZMount("disk", { node, size: "32MiB" });
    const db = new zeroform.Zdb("events", {
        mount: disk,
        size: "8MiB",
        oversubscribe: true,
        listen: machine.host,
        ...(port !== undefined && { port }),
    });
    return { url: db.url };
};

describe("stacks", () => {
    it("share a machine without sharing a server, and go one by one; the agent goes with the last", async () => {
        const on = await host();
        await using first = await Stack.create("first");
        await using second = await Stack.create("second");
        for (const stack of [first, second]) await stack.program(program, { machine: machineOf(on) });
        // Two programs at once, on a machine that has no agent yet.
        await Promise.all([first.up(), second.up()]);
        const urls = await Promise.all([first, second].map((stack) => stack.revealed<string>("url")));
        expect(new Set(urls.map((url) => new URL(url).port)).size).toBe(2);
        const [one, two] = urls.map((url) => new Redis(url));
        // The first one's store goes while its client is there.
        one?.on("error", () => undefined);
        await one?.set("key", "first");
        await two?.set("key", "second");
        expect([await one?.get("key"), await two?.get("key")]).toEqual(["first", "second"]);
        await first.destroy();
        expect(await two?.get("key")).toBe("second");
        expect(await second.plan()).toEqual({ node: "same", disk: "same", events: "same" });
        for (const client of [one, two]) client?.disconnect();
        await second.destroy();
        await expectNothingLeft(on);
    });

    it("that pin one address and port are told about each other", async () => {
        const on = await host();
        await using first = await Stack.create("first");
        await using second = await Stack.create("second");
        await first.program(program, { machine: machineOf(on), port: 9931 });
        await first.up();
        await second.program(program, { machine: machineOf(on), port: 9931 });
        const said = await second.fails(["up", "--skip-preview"]);
        expect(said).toMatch(/9931.*events/s);
        await second.destroy();
        await first.destroy();
    });

    it("can be previewed before their machine exists, and when it will be another one", async () => {
        const [one, two] = await hosts(2);
        if (!one || !two) throw new Error("two hosts are needed");
        await using stack = await Stack.create();
        const cloud: Program<{ machine: Machine }> = ({ pulumi, zeroform }, { machine }) => {
            const provider: import("@pulumi/pulumi").dynamic.ResourceProvider = {
                create: async (inputs) => ({ id: inputs.address, outs: inputs }),
                diff: async (_id, olds, news) => ({
                    changes: olds.address !== news.address,
                    replaces: olds.address !== news.address ? ["address"] : [],
                }),
            };
            class Vm extends pulumi.dynamic.Resource {
                declare readonly address: import("@pulumi/pulumi").Output<string>;
                declare readonly key: import("@pulumi/pulumi").Output<string>;
            }
            const vm = new Vm(provider, "vm", { address: machine.host, key: machine.hostKey });
            const node = new zeroform.Node("node", { ...machine, host: vm.address, hostKey: vm.key, machine: vm.id, trash: "0s" });
            const disk = new zeroform.ZMount("disk", { node, size: "32MiB" });
            const db = new zeroform.Zdb("events", { mount: disk, size: "8MiB", oversubscribe: true, listen: vm.address });
            return { url: db.url };
        };
        await stack.program(cloud, { machine: machineOf(one) });
        expect(await stack.plan()).toEqual({ node: "create", disk: "create", events: "create" });
        await stack.up();
        expect(await stack.plan()).toEqual({ node: "same", disk: "same", events: "same" });
        await stack.program(cloud, { machine: machineOf(two) });
        expect(await stack.plan()).toEqual({ node: "replace", disk: "replace", events: "replace" });
        await stack.up();
        await expectNothingLeft(one);
        await stack.destroy();
        await expectNothingLeft(two);
    });
});
