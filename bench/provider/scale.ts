import type { HostInfo } from "../../dev/hosts/index.ts";
import { machineOf } from "../../test/e2e/hosts.ts";
import { seconds } from "./cost.ts";
import { lifeOf, PHASES, type Run, withStack } from "./phases.ts";
import { DO_NOTHING, type Shape, zdbs } from "./programs.ts";

/** Programs of more and more resources, and of more and more nodes: what grows with what. */
const SHAPES: readonly Pick<Shape, "nodes" | "resources">[] = [
    { nodes: 3, resources: 100 },
    { nodes: 3, resources: 300 },
    { nodes: 3, resources: 1_000 },
    { nodes: 50, resources: 50 },
];

/** Nodes beyond the hosts are tenants beside others of their machine. Throws when a program fails. */
export const measureScale = async (hosts: readonly HostInfo[]): Promise<void> => {
    const rows: Record<string, Record<string, string>> = {};
    for (const { nodes, resources } of SHAPES) {
        const shape = { machines: hosts.map(machineOf), nodes, resources };
        const nothing = await runOf({ ...shape, provider: DO_NOTHING }, hosts);
        const ours = await runOf(shape, hosts);
        const each = Object.fromEntries(
            PHASES.map((phase) => [phase, `${seconds(ours[phase].seconds)} (nothing: ${seconds(nothing[phase].seconds)})`]),
        );
        const peak = Math.max(...PHASES.map((phase) => ours[phase].providerMiB));
        rows[`${resources} Zdbs, ${nodes} Nodes`] = {
            ...each,
            "agents' CPU in up": seconds(ours.up.cpu.agent),
            "provider MiB": peak.toFixed(0),
        };
        console.table(rows);
    }
};

const runOf = (shape: Shape, hosts: readonly HostInfo[]): Promise<Run> =>
    withStack(async (stack) => {
        await stack.program(zdbs, shape);
        return lifeOf(stack, hosts);
    });
