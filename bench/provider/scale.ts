import type { HostInfo } from "../../dev/hosts/index.ts";
import { machineOf } from "../../test/e2e/hosts.ts";
import { seconds } from "./cost.ts";
import { lifeOf, PHASES, type Run, withStack } from "./phases.ts";
import { NOTHING_OF_OURS, type Shape, zdbs } from "./programs.ts";

/** Programs of more and more resources, and of more and more nodes: what grows with what. */
export const SHAPES = "100x3,300x3,1000x3,50x50";

/** `1000x3`: a thousand Zdbs on three Nodes. Nodes beyond the hosts are tenants beside others of their machine. Throws when a program fails. */
export const measureScale = async (hosts: readonly HostInfo[], shapes: string): Promise<void> => {
    const rows: Record<string, Record<string, string>> = {};
    for (const each of shapes.split(",")) {
        const [resources = 0, nodes = 0] = each.split("x").map(Number);
        const shape = { machines: hosts.map(machineOf), nodes, resources };
        for (const [who, provider] of [
            ["ours", undefined],
            ["nothing", NOTHING_OF_OURS],
        ] as const) {
            const run = await runOf({ ...shape, ...(provider !== undefined && { provider }) }, hosts);
            rows[`${resources} Zdbs, ${nodes} Nodes: ${who}`] = {
                ...Object.fromEntries(PHASES.map((phase) => [phase, seconds(run[phase].seconds)])),
                "CPU here in up": seconds(run.up.localCpu),
                "agents' CPU in up": seconds(run.up.cpu.agent),
                "provider MiB": Math.max(...PHASES.map((phase) => run[phase].here.providerMiB)).toFixed(0),
            };
            console.table(rows);
        }
    }
};

const runOf = (shape: Shape, hosts: readonly HostInfo[]): Promise<Run> =>
    withStack(async (stack) => {
        await stack.program(zdbs, shape);
        return lifeOf(stack, hosts);
    });
