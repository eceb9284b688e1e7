import type { HostInfo } from "../../dev/hosts/index.ts";
import { machineOf } from "../../test/e2e/hosts.ts";
import { leastOf, lifeOf, PHASES, type Phase, type Run, withStack } from "./phases.ts";
import { nothing, zdbs } from "./programs.ts";

/** What a resource and a node may cost beyond nothing. */
const ALLOWED: Readonly<Record<Exclude<Phase, "preview">, { readonly resourceMs: number; readonly nodeMs: number }>> = {
    up: { resourceMs: 20, nodeMs: 500 },
    refresh: { resourceMs: 5, nodeMs: 500 },
    destroy: { resourceMs: 5, nodeMs: 500 },
};
const PREVIEW_RATIO = 1.2;
const PROVIDER_MIB = 150;

/** The same program of ours and of a provider that does nothing, in turn, and what the difference is. */
export const compareCost = async (hosts: readonly HostInfo[], resources: number, rounds: number): Promise<boolean> => {
    const shape = { machines: hosts.map(machineOf), nodes: hosts.length, resources };
    const [ours, theirs]: [Run[], Run[]] = [[], []];
    for (let round = 1; round <= rounds; round++) {
        for (const [program, runs] of [
            [nothing, theirs],
            [zdbs, ours],
        ] as const) {
            const run = await withStack(async (stack) => {
                await stack.program(program, shape);
                return lifeOf(stack, hosts);
            });
            runs.push(run);
            console.log(
                `round ${round}, ${program.name}: ${PHASES.map((phase) => `${phase} ${run[phase].seconds.toFixed(1)} s`).join(", ")}`,
            );
        }
    }
    return report(leastOf(ours), leastOf(theirs), hosts.length, resources);
};

const report = (ours: Run, theirs: Run, nodes: number, resources: number): boolean => {
    const rows = PHASES.map((phase) => {
        const [own, other] = [ours[phase].seconds, theirs[phase].seconds];
        const allowed = phase === "preview" ? other * (PREVIEW_RATIO - 1) : allowance(ALLOWED[phase], nodes, resources);
        return {
            phase,
            ok: own - other <= allowed,
            ours: seconds(own),
            "do-nothing": seconds(other),
            excess: seconds(own - other),
            allowed: seconds(allowed),
            "agents' CPU": seconds(ours[phase].cpu.agent),
            "engines' CPU": seconds(ours[phase].cpu.engines),
            "hosts' CPU": seconds(ours[phase].cpu.all),
            "provider MiB": ours[phase].providerMiB.toFixed(0),
        };
    });
    console.table(Object.fromEntries(rows.map(({ phase, ...row }) => [phase, row])));
    const peak = Math.max(...PHASES.map((phase) => ours[phase].providerMiB));
    console.log(`provider: at most ${peak.toFixed(0)} MiB resident, ${PROVIDER_MIB} allowed`);
    return rows.every(({ ok }) => ok) && peak <= PROVIDER_MIB;
};

const allowance = ({ resourceMs, nodeMs }: { readonly resourceMs: number; readonly nodeMs: number }, nodes: number, resources: number) =>
    (resources * resourceMs + nodes * nodeMs) / 1000;

const seconds = (value: number): string => `${value.toFixed(2)} s`;
