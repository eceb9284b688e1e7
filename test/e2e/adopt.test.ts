import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AgentSession } from "./agent.ts";
import { run, start, ZEROFORM } from "./command.ts";
import { expectNothingLeft, hosts, type Machine, machineOf } from "./hosts.ts";
import { type Program, Stack, type StateResource } from "./stack.ts";
import { withClient } from "./with-client.ts";

interface Values {
    readonly one: Machine;
    readonly two: Machine;
    readonly size: string;
    readonly name: string;
    readonly alias?: string;
}

const PASSWORD = "a-given-password";

/** Components in components, a password that is given and one that is made, a mount that grows, one that is renamed, and two hosts. */
const program: Program<Values> = ({ pulumi, zeroform }, { one, two, size, name, alias }) => {
    const rack = new pulumi.ComponentResource("test:index:Rack", "rack");
    const shelf = new pulumi.ComponentResource("test:index:Shelf", "shelf", {}, { parent: rack });
    const alpha = new zeroform.Node("alpha", { ...one, trash: "0s", timeouts: { create: "3m" } }, { parent: shelf });
    const disk = new zeroform.ZMount("disk", { node: alpha, size, onRemove: "delete" }, { parent: shelf });
    const made = new zeroform.Zdb("made", { mount: disk, size: "8MiB", oversubscribe: true, listen: one.host }, { parent: disk });
    const beta = new zeroform.Node("beta", { ...two, trash: "0s", machine: "i-1" });
    const other = new zeroform.ZMount(
        name,
        { node: beta, size: "32MiB", timeouts: { delete: "2m" } },
        alias === undefined ? {} : { aliases: [{ name: alias }] },
    );
    const password = "a-given-password";
    const given = new zeroform.Zdb("given", { mount: other, size: "8MiB", oversubscribe: true, password, port: 9977, listen: two.host });
    new zeroform.Zdb("bare", { node: beta, size: "8MiB" }, { dependsOn: [given] });
    return { made: made.url, given: given.url };
};

const SAME = { alpha: "same", disk: "same", made: "same", beta: "same", renamed: "same", given: "same", bare: "same" };

describe("a stack whose state is lost", () => {
    it("is put together again, so that a preview has nothing to say and a destroy leaves nothing", async () => {
        const [one, two] = await hosts(2);
        if (!one || !two) throw new Error("two hosts are needed");
        await using stack = await Stack.create();
        stack.secrets.push(PASSWORD);
        const values = { one: machineOf(one), two: machineOf(two), size: "32MiB", name: "first" };
        await stack.program(program, values);
        await stack.up();
        await stack.program(program, { ...values, size: "48MiB", name: "renamed", alias: "first" });
        await stack.up();
        // From here on the program says nothing of the old name: only the node knows that it was told of the new one.
        await stack.program(program, { ...values, size: "48MiB", name: "renamed" });
        const before = await stack.state();
        const url = await stack.revealed<string>("made");
        await withClient(url, (client) => client.set("key", "precious"));
        await lose(stack);

        const adopted = await run(stack, "adopt", "--out", "state.json");
        expect(adopted).toMatchObject({ code: 0 });
        for (const secret of [PASSWORD, new URL(url).password]) expect(adopted.stdout + adopted.stderr).not.toContain(secret);
        expect(adopted.stdout).toContain('const disk = new ZMount("disk", { node: alpha, size: "48MiB" })');
        const file = join(stack.surroundings.cwd, "state.json");
        expect((await stat(file)).mode & 0o777).toBe(0o600);
        // Never over something that is there.
        expect(await run(stack, "adopt", "--out", "state.json")).toMatchObject({
            code: 1,
            stderr: expect.stringContaining("state.json is there already"),
        });
        expect(await run(stack, "adopt", "--import")).toMatchObject({ code: 0 });

        expect((await stack.state()).map(lasting)).toEqual(expect.arrayContaining(before.map(lasting)));
        expect(await stack.plan("--expect-no-changes")).toEqual(SAME);
        expect(await stack.revealed("made").catch(() => undefined)).toBeUndefined();
        const again = await run(stack, "adopt", "--import");
        expect(again.code).toBe(1);
        expect(again.stderr).toContain("the selected stack is not empty");

        // The file is what the import was made of, and takes its place.
        await lose(stack);
        await stack.must(["stack", "import", "--file", file]);
        expect(await stack.plan("--expect-no-changes")).toEqual(SAME);
        await stack.refresh("--expect-no-changes");
        await stack.up();
        expect(await stack.revealed("made")).toBe(url);
        expect(await withClient(url, (client) => client.get("key"))).toBe("precious");
        await stack.destroy();
        await Promise.all([one, two].map(expectNothingLeft));
    });

    it("is told from another one of equal names, and from what a crash left behind", async () => {
        const [on] = await hosts(1);
        if (!on) throw new Error("a host is needed");
        const machine = machineOf(on);
        const single: Program<{ machine: Machine }> = ({ zeroform }, { machine }) => {
            const node = new zeroform.Node("node", { ...machine, trash: "0s" });
            new zeroform.ZMount("disk", { node, size: "32MiB" });
            return undefined;
        };
        await using first = await Stack.create();
        await using second = await Stack.create();
        await using other = await Stack.create("other");
        for (const stack of [first, second, other]) {
            await stack.program(single, { machine });
            await stack.up();
        }
        const lost = await first.resource("node");
        await lose(first);
        // Whoever tries `up` first leaves the stack itself and Pulumi's provider in the state, when nothing can be made.
        await first.program(single, { machine: { ...machine, identityFile: "/nowhere" } });
        await first.fails(["up", "--skip-preview"]);
        expect((await first.must(["stack", "export"])).stdout).toContain("pulumi:providers:pulumi-nodejs");
        await first.program(single, { machine });
        const asked = await run(first, "adopt", "--import");
        expect(asked.code).toBe(1);
        expect(asked.stderr).toMatch(/2 tenants are called Node "node" of this stack/);
        const [, tenant = ""] = String(lost.id).split("/");
        expect(asked.stderr).toContain(tenant);

        // Without its program, in a folder of nobody.
        const cwd = first.directory;
        const reach = ["--host", machine.host, "--user", machine.user, "--identity-file", machine.identityFile];
        const alone = await start(first, "env", ["-C", cwd, "node", ZEROFORM, "adopt", "--tenant", tenant, ...reach]).ended;
        expect(alone).toMatchObject({ code: 0 });
        const { deployment } = JSON.parse(await readFile(join(cwd, "test.adopted.json"), "utf8")) as {
            deployment: { resources: StateResource[] };
        };
        expect(deployment.resources.map(({ urn }) => urn.split("::").at(-1))).toEqual(["e2e-test", "default", "node", "disk"]);
        const foreign = await run(first, "adopt", "--import", "--tenant", String((await other.resource("node")).id).split("/")[1] ?? "");
        expect(foreign.stderr).toContain("belongs to another stack");

        expect(await run(first, "adopt", "--import", "--tenant", tenant)).toMatchObject({ code: 0 });
        expect(await first.plan("--expect-no-changes")).toEqual({ node: "same", disk: "same" });
        await first.destroy();

        // What is left of the others is removed by hand: one is lost for good, and the other's run goes on meanwhile.
        await using agent = new AgentSession(on);
        const tenants = await agent.request("tenant.list", {});
        expect(tenants).toHaveLength(2);
        const evicted = tenants.find(({ urn }) => urn.includes("::e2e::") && urn.startsWith("urn:pulumi:test::"));
        const busy = await run(first, "evict", evicted?.tenant ?? "", "--purge", ...reach);
        expect(busy.stderr).toContain("--yes");
        expect(await run(first, "evict", evicted?.tenant ?? "", "--purge", "--yes", ...reach)).toMatchObject({ code: 0 });
        expect(await other.plan()).toEqual({ node: "same", disk: "same" });
        await other.refresh("--expect-no-changes");
        await other.destroy();
        await expectNothingLeft(on);
    });
});

/** The backend's file is gone; the folder with program and configuration is not. */
const lose = async (stack: Stack): Promise<void> => {
    await stack.must(["stack", "rm", "test", "--force", "--yes", "--preserve-config"]);
    await stack.must(["stack", "init", "test"]);
};

/** What a state says of a resource for as long as nothing is done to it; ciphertext is another one each time. */
const lasting = (resource: StateResource): unknown => {
    const { created, modified, sourcePosition, stackTrace, provider, dependencies, ...rest } = resource as StateResource &
        Record<string, unknown>;
    const deps = Array.isArray(dependencies) ? dependencies.toSorted() : dependencies;
    return JSON.parse(JSON.stringify({ ...rest, deps }, (key, value: unknown) => (key === "ciphertext" ? "sealed" : value)));
};
