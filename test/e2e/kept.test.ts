import { describe, expect, it } from "vitest";
import { AgentSession } from "./agent.ts";
import { zeroform } from "./cli.ts";
import { run } from "./command.ts";
import { expectNothingLeft, host, type Machine, machineOf, sh } from "./hosts.ts";
import { type Program, Stack } from "./stack.ts";
import { withClient } from "./with-client.ts";

interface Values {
    readonly machine: Machine;
    readonly mount: boolean;
    readonly store: boolean;
}

const program: Program<Values> = ({ zeroform }, { machine, mount, store }) => {
    const node = new zeroform.Node("node", { ...machine, trash: "1h" });
    if (!mount) return undefined;
    const disk = new zeroform.ZMount("disk", { node, size: "64MiB", onRemove: "keep" });
    if (!store) return undefined;
    const db = new zeroform.Zdb("events", { mount: disk, size: "8MiB", oversubscribe: true, listen: machine.host, onRemove: "keep" });
    return { url: db.url };
};

describe("kept data", () => {
    it("stay where they are, of a store and of the mount below it, come back into new lives, and go when nobody wants them", async () => {
        const on = await host();
        const machine = machineOf(on);
        await using stack = await Stack.create();
        await using agent = new AgentSession(on);
        const has = (mount: boolean, store: boolean) => stack.program(program, { machine, mount, store });
        const keptOnes = async () =>
            (await agent.status()).resources.filter(({ state }) => state === "kept").map(({ name, life }) => [name, life] as const);
        await has(true, true);
        await stack.up();
        const path = String((await stack.resource("disk")).outputs?.path);
        await withClient(await stack.revealed<string>("url"), (client) => client.set("key", "precious"));
        await sh(on, `echo precious > ${path}/file`);

        // The store alone: a new one of its name is another life, until its data are put into that.
        await has(true, false);
        await stack.up();
        const [[, life] = ["", ""]] = await keptOnes();
        expect((await run(stack, "status")).stdout).toContain(`zeroform remove ${life}`);
        await has(true, true);
        await stack.up();
        const url = await stack.revealed<string>("url");
        expect(await withClient(url, (client) => client.get("key"))).toBeNull();
        await zeroform(machine, ["trash", "restore", life]);
        expect(await withClient(url, (client) => client.get("key"))).toBe("precious");
        await stack.refresh("--expect-no-changes");

        // Both, by a destroy that names them and leaves the agent there.
        const left = (await stack.destroy()).output;
        expect(left).toMatch(/left on .*, with their data.*(disk.*events|events.*disk)/s);
        expect((await keptOnes()).map(([name]) => name).sort()).toEqual(["disk", "events"]);
        expect(await sh(on, "grep -c zeroform/mounts /proc/mounts || true")).toBe("0");
        await stack.up();
        const kept = new Map(await keptOnes());
        await expect(zeroform(machine, ["remove", kept.get("events") ?? ""])).rejects.toThrow(/they go with it/);
        // Their Node is another one by now, so that nothing has their name.
        const into = async (name: string) =>
            String((await stack.resource(name)).id)
                .split("/")
                .at(-1) ?? "";
        await zeroform(machine, ["trash", "restore", kept.get("disk") ?? "", "--into", await into("disk")]);
        expect(await sh(on, `cat ${(await stack.resource("disk")).outputs?.path}/file`)).toBe("precious");
        await zeroform(machine, ["trash", "restore", kept.get("events") ?? "", "--into", await into("events")]);
        expect(await withClient(await stack.revealed<string>("url"), (client) => client.get("key"))).toBe("precious");
        await stack.refresh("--expect-no-changes");

        // For good: what is kept is removed by hand, what lies on it goes with it, and so does the agent.
        await stack.destroy();
        const rest = new Map(await keptOnes());
        await zeroform(machine, ["remove", rest.get("disk") ?? "", "--purge", "--yes"]);
        expect((await zeroform(machine, ["trash", "purge", "--all", "--yes"])).trim()).toMatch(/purged, .* freed$|nothing in the trash/);
        await agent[Symbol.asyncDispose]();
        await expectNothingLeft(on);
    });
});
