import { expect, it } from "vitest";
import { AgentSession } from "./agent.ts";
import { expectNothingLeft, hosts, machineOf } from "./hosts.ts";
import { type Program, Stack } from "./stack.ts";

const NODES = 10;
const RESOURCES = 100;

interface Values {
    readonly machines: readonly ReturnType<typeof machineOf>[];
    readonly nodes: number;
    readonly resources: number;
}

const program: Program<Values> = ({ zeroform }, { machines, nodes, resources }) => {
    const made = Array.from(
        { length: nodes },
        (_, index) => new zeroform.Node(`node-${index}`, { host: "", ...machines[index % machines.length], trash: "0s" }),
    );
    for (let index = 0; index < resources; index++)
        new zeroform.Zdb(`store-${index}`, { node: made[index % nodes] as (typeof made)[number], size: "4MiB" });
    return undefined;
};

it("a program of a hundred resources on ten nodes of two machines is made, stays as it is, and goes without a trace", async () => {
    const machines = await hosts(2);
    await using stack = await Stack.create();
    await stack.program(program, { machines: machines.map(machineOf), nodes: NODES, resources: RESOURCES });
    await stack.up();

    const state = await stack.state();
    const stores = state.filter(({ type }) => type.endsWith(":Zdb"));
    expect(state).toHaveLength(NODES + RESOURCES);
    expect(new Set(stores.map(({ id }) => id)).size).toBe(RESOURCES);
    // Tenants never share a server, and so no port of a machine.
    const places = stores.map(({ inputs, outputs }) => `${inputs?.node} ${outputs?.port}`);
    expect(new Set(places).size).toBe(NODES);
    for (const machine of machines) {
        await using agent = new AgentSession(machine);
        const { tenants, resources } = await agent.status();
        expect(tenants).toHaveLength(NODES / machines.length);
        expect(resources.filter(({ state }) => state === "ready")).toHaveLength(RESOURCES / machines.length);
    }

    await stack.refresh("--expect-no-changes");
    expect(new Set(Object.values(await stack.plan()))).toEqual(new Set(["same"]));
    await stack.destroy();
    for (const machine of machines) await expectNothingLeft(machine);
});
