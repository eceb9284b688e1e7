import type { HostInfo } from "../../dev/hosts/index.ts";
import { machineOf } from "../../test/e2e/hosts.ts";
import type { Program } from "../../test/e2e/stack.ts";
import { leastOf, lifeOf, PHASES, type Phase, type Run, withStack } from "./phases.ts";
import { DO_NOTHING, least, NOTHING_OF_OURS, type Shape, zdbs } from "./programs.ts";

/** What a resource and a node may cost beyond nothing. */
const ALLOWED: Readonly<Record<Exclude<Phase, "preview">, { readonly resourceMs: number; readonly nodeMs: number }>> = {
    up: { resourceMs: 20, nodeMs: 500 },
    refresh: { resourceMs: 5, nodeMs: 500 },
    destroy: { resourceMs: 5, nodeMs: 500 },
};
const PREVIEW_RATIO = 1.2;
const PROVIDER_MIB = 150;

interface Contestant {
    readonly name: string;
    readonly program: Program<Shape>;
    readonly provider?: string;
}

/** Ours; the same program of a provider that does nothing; and what Pulumi takes for the least that it can be asked for. */
const CONTESTANTS = {
    least: { name: "least", program: least, provider: DO_NOTHING },
    nothing: { name: "same program, provider does nothing", program: zdbs, provider: NOTHING_OF_OURS },
    ours: { name: "ours", program: zdbs },
} as const satisfies Record<string, Contestant>;
type Name = keyof typeof CONTESTANTS;

/** Lets them run in turn, and says what the difference is. */
export const compareCost = async (hosts: readonly HostInfo[], resources: number, rounds: number): Promise<boolean> => {
    const runs: Record<Name, Run[]> = { least: [], nothing: [], ours: [] };
    for (let round = 1; round <= rounds; round++)
        for (const name of Object.keys(CONTESTANTS) as Name[]) {
            const run = await runOf(CONTESTANTS[name], hosts, resources);
            runs[name].push(run);
            const times = PHASES.map((phase) => `${phase} ${seconds(run[phase].seconds)}`).join(", ");
            console.log(`round ${round}, ${CONTESTANTS[name].name}: ${times}`);
        }
    return report(leastOf(runs.ours), leastOf(runs.nothing), leastOf(runs.least), hosts.length, resources);
};

export const runOf = (
    { program, provider }: Contestant,
    hosts: readonly HostInfo[],
    resources: number,
    nodes = hosts.length,
): Promise<Run> =>
    withStack(async (stack) => {
        await stack.program(program, { machines: hosts.map(machineOf), nodes, resources, ...(provider !== undefined && { provider }) });
        return lifeOf(stack, hosts);
    });

const report = (ours: Run, nothing: Run, leastRun: Run, nodes: number, resources: number): boolean => {
    const rows = PHASES.map((phase) => {
        const [own, other] = [ours[phase].seconds, nothing[phase].seconds];
        const allowed = phase === "preview" ? other * (PREVIEW_RATIO - 1) : allowance(ALLOWED[phase], nodes, resources);
        return {
            phase,
            ok: own - other <= allowed,
            ours: seconds(own),
            nothing: seconds(other),
            excess: seconds(own - other),
            allowed: seconds(allowed),
            least: seconds(leastRun[phase].seconds),
        };
    });
    const cpu = PHASES.map((phase) => ({
        phase,
        "CPU here: ours": seconds(ours[phase].localCpu),
        nothing: seconds(nothing[phase].localCpu),
        least: seconds(leastRun[phase].localCpu),
        "CLI: ours": seconds(ours[phase].here.cpu.cli),
        "CLI: nothing": seconds(nothing[phase].here.cpu.cli),
        "program: ours": seconds(ours[phase].here.cpu.program),
        "program: nothing": seconds(nothing[phase].here.cpu.program),
        "provider: ours": seconds(ours[phase].here.cpu.provider),
        "provider: nothing": seconds(nothing[phase].here.cpu.provider),
        "on hosts: agents": seconds(ours[phase].cpu.agent),
        engines: seconds(ours[phase].cpu.engines),
        all: seconds(ours[phase].cpu.all),
        "provider MiB: ours": ours[phase].here.providerMiB.toFixed(0),
        "provider MiB: nothing": nothing[phase].here.providerMiB.toFixed(0),
    }));
    for (const table of [rows, cpu]) console.table(Object.fromEntries(table.map(({ phase, ...row }) => [phase, row])));
    const [peak = 0, bare = 0] = [ours, nothing].map((run) => Math.max(...PHASES.map((phase) => run[phase].here.providerMiB)));
    console.log(
        `provider: at most ${peak.toFixed(0)} MiB resident, ${PROVIDER_MIB} allowed; Pulumi's host with a provider that does nothing: ${bare.toFixed(0)}`,
    );
    return rows.every(({ ok }) => ok) && peak <= PROVIDER_MIB;
};

const allowance = ({ resourceMs, nodeMs }: { readonly resourceMs: number; readonly nodeMs: number }, nodes: number, resources: number) =>
    (resources * resourceMs + nodes * nodeMs) / 1000;

export const seconds = (value: number): string => `${value.toFixed(2)} s`;
