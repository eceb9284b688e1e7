import { describe, expect, it } from "vitest";
import { parseResourceId } from "../../protocol/ids.ts";
import { AgentSession } from "./agent.ts";
import { zeroform } from "./cli.ts";
import { expectNothingLeft, host, type Machine, machineOf, until } from "./hosts.ts";
import { type Program, Stack } from "./stack.ts";

interface Values {
    readonly machine: Machine;
    readonly name: string;
    readonly alias?: string;
    readonly second?: string;
    readonly slow?: boolean;
}

/** A node and a ZMount on it; with `slow`, something that keeps the run busy after the mount is made. */
const program: Program<Values> = ({ pulumi, zeroform }, { machine, name, alias, second, slow }) => {
    const node = new zeroform.Node("node", { ...machine, trash: "0s" });
    const disk = new zeroform.ZMount(
        name,
        { node, size: "32MiB", replaceData: true },
        alias === undefined ? {} : { aliases: [{ name: alias }] },
    );
    if (second !== undefined) new zeroform.ZMount(second, { node, size: "32MiB" });
    if (slow) {
        const provider: import("@pulumi/pulumi").dynamic.ResourceProvider = {
            create: () => new Promise((done) => setTimeout(() => done({ id: "slow" }), 120_000)),
        };
        class Slow extends pulumi.dynamic.Resource {}
        new Slow(provider, "slow", {}, { dependsOn: disk });
    }
    return { path: disk.path };
};

const lifeOf = async (stack: Stack, name: string) => parseResourceId((await stack.resource(name)).id ?? "")?.life;

describe("a life", () => {
    it("is another after `up --replace`, and the old one is gone", async () => {
        const on = await host();
        await using stack = await Stack.create();
        await using agent = new AgentSession(on);
        await stack.program(program, { machine: machineOf(on), name: "disk" });
        await stack.up();
        const { urn, id } = await stack.resource("disk");
        await stack.up("--replace", urn);
        const now = await stack.resource("disk");
        expect(now.id).not.toBe(id);
        const { resources } = await agent.status();
        expect(resources.map(({ life }) => life)).toEqual([await lifeOf(stack, "disk")]);
        expect(await stack.plan()).toMatchObject({ node: "same", disk: "same" });
        await stack.destroy();
    });

    it("survives a rename by alias, and the old name's next resource is another", async () => {
        const on = await host();
        await using stack = await Stack.create();
        const machine = machineOf(on);
        await stack.program(program, { machine, name: "disk" });
        await stack.up();
        const old = await lifeOf(stack, "disk");
        await stack.program(program, { machine, name: "renamed", alias: "disk" });
        await stack.up();
        expect(await lifeOf(stack, "renamed")).toBe(old);
        await stack.program(program, { machine, name: "renamed", second: "disk" });
        await stack.up();
        expect(await lifeOf(stack, "renamed")).toBe(old);
        expect(await lifeOf(stack, "disk")).not.toBe(old);
        await using agent = new AgentSession(on);
        expect((await agent.status()).resources).toHaveLength(2);
        await stack.destroy();
    });

    it("survives a move under a component", async () => {
        const on = await host();
        await using stack = await Stack.create();
        await stack.program(program, { machine: machineOf(on), name: "disk" });
        await stack.up();
        const old = await lifeOf(stack, "disk");
        await stack.program(
            ({ pulumi, zeroform }, { machine }) => {
                const node = new zeroform.Node("node", { ...machine, trash: "0s" });
                const group = new pulumi.ComponentResource("test:Group", "group");
                new zeroform.ZMount(
                    "disk",
                    { node, size: "32MiB", replaceData: true },
                    { parent: group, aliases: [{ parent: pulumi.rootStackResource }] },
                );
                return undefined;
            },
            { machine: machineOf(on) },
        );
        await stack.up();
        expect(await lifeOf(stack, "disk")).toBe(old);
        expect(await stack.plan()).toMatchObject({ disk: "same" });
        await stack.destroy();
    });

    it("starts anew after `state delete`, and status names the old one", async () => {
        const on = await host();
        await using stack = await Stack.create();
        await stack.program(program, { machine: machineOf(on), name: "disk" });
        await stack.up();
        const { urn } = await stack.resource("disk");
        const old = await lifeOf(stack, "disk");
        // Named by a later run, it is confirmed: nothing but its owner may take it away.
        await stack.refresh();
        await stack.must(["state", "delete", urn, "--yes"]);
        await stack.up();
        const now = await lifeOf(stack, "disk");
        expect(now).not.toBe(old);
        await using agent = new AgentSession(on);
        expect((await agent.status()).resources.map(({ life }) => life).sort()).toEqual([old, now].sort());
        const out = await stack.destroy();
        // The Node's removal names what stays behind.
        expect(out.output).toContain(old);
        await zeroform(machineOf(on), ["remove", String(old), "--purge", "--yes"]);
        await expectNothingLeft(on);
    });

    it("left by a create that was killed is taken away by the next create", async () => {
        const on = await host();
        await using stack = await Stack.create();
        await using agent = new AgentSession(on);
        const machine = machineOf(on);
        await stack.program(({ zeroform }, { machine }) => void new zeroform.Node("node", { ...machine, trash: "0s" }) as undefined, {
            machine,
        });
        await stack.up();
        await agent.request("reconciler.pause", {});
        await stack.program(program, { machine, name: "disk" });
        const run = stack.start(["up", "--skip-preview"]);
        const orphan = await until(async () => (await agent.status()).resources.at(0)?.life);
        run.child.kill("SIGKILL");
        await run.ended;
        await agent.request("reconciler.resume", {});
        await stack.run(["cancel"]);
        await stack.up();
        const now = await lifeOf(stack, "disk");
        expect(now).not.toBe(orphan);
        expect((await agent.status()).resources.map(({ life }) => life)).toEqual([now]);
        await stack.refresh("--clear-pending-creates");
        expect(await stack.plan()).toMatchObject({ disk: "same" });
        await stack.destroy();
    });

    it("that replaced another lives on when the run was killed before the other's delete", async () => {
        const on = await host();
        await using stack = await Stack.create();
        const machine = machineOf(on);
        await stack.program(program, { machine, name: "disk" });
        await stack.up();
        const { urn, id } = await stack.resource("disk");
        await stack.program(program, { machine, name: "disk", slow: true });
        const run = stack.start(["up", "--skip-preview", "--replace", urn]);
        await run.seen(/slow.*creating/);
        run.child.kill("SIGKILL");
        await run.ended;
        const killed = await lifeOf(stack, "disk");
        expect((await stack.resource("disk")).id).not.toBe(id);
        await stack.run(["cancel"]);
        await stack.program(program, { machine, name: "disk" });
        await stack.up();
        expect(await lifeOf(stack, "disk")).toBe(killed);
        await using agent = new AgentSession(on);
        expect((await agent.status()).resources.map(({ life, state }) => [life, state])).toEqual([[killed, "ready"]]);
        await stack.refresh("--clear-pending-creates");
        await stack.destroy();
    });

    it("refuses an operation of a session that is older than the last one that touched it", async () => {
        const on = await host();
        await using stack = await Stack.create();
        await using orphan = new AgentSession(on);
        await stack.program(
            ({ zeroform }, { machine }) => {
                const node = new zeroform.Node("node", { ...machine, trash: "0s" });
                return { url: new zeroform.Zdb("events", { node, size: "8MiB", port: 9950 }).url };
            },
            { machine: machineOf(on) },
        );
        // A Node's create puts the agent there; the orphan then says hello before the newer run touches the life.
        await stack.up();
        const before = await orphan.status();
        await stack.program(
            ({ zeroform }, { machine }) => {
                const node = new zeroform.Node("node", { ...machine, trash: "0s" });
                return { url: new zeroform.Zdb("events", { node, size: "16MiB", port: 9950 }).url };
            },
            { machine: machineOf(on) },
        );
        await stack.up();
        const [events] = before.resources;
        if (!events) throw new Error("no Zdb on the host");
        const late = orphan.request("resource.update", {
            caller: { machine: before.welcome.machine, tenant: events.tenant, seen: [] },
            life: events.life,
            urn: events.urn,
            spec: { size: "8MiB" },
            waitMs: 5_000,
            settings: { installPackages: true },
        });
        await expect(late).rejects.toMatchObject({ code: "SUPERSEDED" });
        expect((await stack.resource("events")).outputs).toMatchObject({ size: "16MiB" });
        await stack.destroy();
    });
});
