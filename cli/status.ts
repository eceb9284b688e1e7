import type { Command } from "commander";
import type { AgentEvent, MachineStatus, ResourceStatus } from "../protocol/api.ts";
import { ZeroformError } from "../protocol/errors.ts";
import { formatResourceId } from "../protocol/ids.ts";
import { formatSize } from "../schema/quantity.ts";
import { explain, parseCount } from "./help.ts";
import { askEach, type NamedNode, type NodeOptions, nodesOf, withNodeOptions } from "./nodes.ts";
import { ago, columns, harmless } from "./text.ts";

const EVENTS_SHOWN = 5;

interface Options extends NodeOptions {
    readonly json?: boolean;
    readonly events: number;
}

/** `zeroform status`: nodes and resources with their state, since when, and why not. */
export const register = (program: Command): void => {
    const command = withNodeOptions(program.command("status"))
        .description("show nodes and resources with their state, since when, and why not")
        .option("--events <number>", "how many of the latest events to show for each node", parseCount, EVENTS_SHOWN)
        .option("--json", "print a JSON array: for each node what the agent says, or its error")
        .action(async (options: Options) => {
            const answers = await askEach(await nodesOf(options), (link) => link.request("status", { events: options.events }));
            if (options.json) console.log(JSON.stringify(answers.map(toJson), null, 2));
            else for (const { node, answer } of answers) console.log(describe(node, answer));
            const wrong = answers.some(
                ({ answer }) =>
                    answer instanceof ZeroformError ||
                    answer.welcome.store !== "ok" ||
                    answer.resources.some(({ state }) => state !== "ready" && state !== "kept"),
            );
            process.exitCode = wrong ? 1 : 0;
        });
    explain(command, {
        details: ["In a Pulumi project folder the nodes are those of the selected stack."],
        examples: [
            ["zeroform status", "the nodes of the selected stack"],
            ["zeroform status --host 10.0.0.11 10.0.0.12", "two machines, without a stack"],
            ["zeroform status --json | jq '.[].resources[]'", "every resource, for a program"],
        ],
        exits: [
            ["0", "everything is ready"],
            ["1", "something is not ready, or a node was not reached"],
            ["2", "wrong use: an unknown command, option or value"],
        ],
    });
};

const toJson = ({ node, answer }: { readonly node: NamedNode; readonly answer: MachineStatus | ZeroformError }) => ({
    node: node.name,
    host: node.reach.host,
    ...(answer instanceof ZeroformError
        ? { error: answer.facts() }
        : { ...answer, resources: answer.resources.map((resource) => ({ ...resource, inStack: inStack(node, answer, resource) })) }),
});

const describe = (node: NamedNode, answer: MachineStatus | ZeroformError): string => {
    const title = node.name === node.reach.host ? node.name : `${node.name} (${node.reach.host})`;
    if (answer instanceof ZeroformError) return `${title}  not reached: ${harmless(answer.with({ node: title }).sentence())}\n`;
    const { welcome, facts, resources, trash, events, awaitingRestart } = answer;
    const broken = welcome.store === "ok" ? "" : `\n  ! ${welcome.storeReason ?? `the agent's store is ${welcome.store}`}`;
    const head = `${title}  agent ${welcome.agentVersion}, ${facts.arch}, Linux ${facts.kernel}, ${facts.cores} cores, ${formatMemory(facts.memory)}${broken}`;
    const rows = resources.map((resource) => [
        resource.kind,
        resource.name,
        resource.state,
        ago(resource.since),
        detail(resource),
        remarks(node, answer, resource),
    ]);
    const parts = [
        head,
        rows.length === 0 ? "  no resources" : columns([["KIND", "NAME", "STATE", "SINCE", "DETAIL", ""], ...rows], "  "),
        trash.length === 0
            ? undefined
            : columns(
                  [
                      ["TRASH", "NAME", "SIZE", "REMOVED", "LIFE", ""],
                      ...trash.map(({ kind, name, bytes, removedAt, life, unreachable }) => [
                          kind,
                          name,
                          unreachable === undefined ? roughSize(bytes) : "unknown",
                          ago(removedAt),
                          life,
                          unreachable === undefined ? "" : `cannot be reached: ${unreachable}`,
                      ]),
                  ],
                  "  ",
              ),
        awaitingRestart.length === 0 ? undefined : `  waiting for a restart to run the new agent's program: ${awaitingRestart.join(", ")}`,
        events.length === 0 ? undefined : columns([["EVENT", "WHEN", "WHAT"], ...events.map(eventRow)], "  "),
    ];
    return `${parts.filter((part) => part !== undefined).join("\n\n")}\n`;
};

const detail = ({ state, reasons, outputs }: ResourceStatus): string => {
    if (state !== "ready") return reasons.join("; ");
    return String(outputs.path ?? outputs.namespace ?? "");
};

/** What a person should look at: lives that nothing proves to be anybody's. */
const remarks = (node: NamedNode, status: MachineStatus, resource: ResourceStatus): string => {
    const notes = [
        resource.confirmed ? undefined : "unconfirmed: the run that made it did not end well",
        // The stack that has it in its state is enough of a proof.
        resource.namedAt === undefined && inStack(node, status, resource) !== true ? "not named since its create" : undefined,
        resource.state === "kept"
            ? `its data can be removed: zeroform remove ${resource.life}${node.known === undefined ? ` --host ${node.name}` : ""}`
            : undefined,
        ...(resource.notes ?? []),
        inStack(node, status, resource) === false ? `not in this stack's state (${resource.life})` : undefined,
    ];
    return notes.filter((note) => note !== undefined).join("; ");
};

const inStack = (node: NamedNode, { welcome }: MachineStatus, { tenant, life }: ResourceStatus): boolean | undefined =>
    node.known?.has(formatResourceId(welcome.machine, tenant, life));

const eventRow = ({ what, at, name, detail }: AgentEvent): readonly string[] => [what, ago(at), name ? `${name}: ${detail}` : detail];

const GIB = 2 ** 30;
const formatMemory = (bytes: number): string => `${Math.round(bytes / GIB)} GiB`;
const roughSize = (bytes: number): string => formatSize(bytes < 2 ** 20 ? bytes : Math.round(bytes / 2 ** 20) * 2 ** 20);
