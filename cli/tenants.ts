import type { Command } from "commander";
import type { Holdings } from "../protocol/api.ts";
import { ZeroformError } from "../protocol/errors.ts";
import { partsOf } from "../protocol/urn.ts";
import { formatSize } from "../schema/quantity.ts";
import { explain } from "./help.ts";
import { askEach, type NodeOptions, nodesOf, withNodeOptions } from "./nodes.ts";
import { ago } from "./text.ts";
import { given, printTable, sayUnreached } from "./unreached.ts";

interface Options extends NodeOptions {
    readonly json?: boolean;
}

/** `zeroform tenants`: who owns what on a machine. */
export const register = (program: Command): void => {
    const command = withNodeOptions(
        program
            .command("tenants")
            .argument("[host...]", "address, name or ~/.ssh/config alias, instead of the nodes of the selected stack"),
    )
        .description("show who owns what on a machine: stacks, their resources and trash, and when each was there last")
        .option("--json", "print a JSON array: for each node its tenants, or its error")
        .action(async (hosts: readonly string[], { json, ...options }: Options) => {
            const host = [...hosts, ...(options.host ?? [])];
            const nodes = await nodesOf({ ...options, ...(host.length > 0 && { host }) });
            const answers = await askEach(nodes, (link) => link.request("tenant.list", {}));
            if (json) {
                const plain = answers.map(({ node, answer }) =>
                    answer instanceof ZeroformError
                        ? { node: node.name, error: answer.facts() }
                        : { node: node.name, tenants: answer.map((each) => ({ ...partsOf(each.urn), ...each })) },
                );
                console.log(JSON.stringify(plain, null, 2));
            } else {
                const rows = given(answers).flatMap(({ node, answer }) => answer.map((each) => row(node.name, each)));
                const head = ["MACHINE", "STACK", "PROJECT", "NODE", "RESOURCES", "TAKES", "TRASH", "LAST SEEN", "TENANT", ""];
                printTable(head, rows, answers, "no tenants");
            }
            sayUnreached(answers);
        });
    explain(command, {
        details: ["TAKES is what the resources may take of the machine's disks."],
        examples: [
            ["zeroform tenants 10.0.0.11", "whose resources are on a machine"],
            ["zeroform tenants", "the same for the machines of the selected stack"],
        ],
    });
};

const row = (machine: string, tenant: Holdings): readonly string[] => {
    const { stack, project, name } = partsOf(tenant.urn);
    const resources = tenant.resources.map(({ kind, count }) => `${count} ${kind}`).join(", ");
    const { trash } = tenant;
    return [
        machine,
        stack,
        project,
        name,
        resources === "" ? "none" : resources,
        formatSize(tenant.bytes),
        trash.count === 0 ? "none" : `${trash.count} (${formatSize(trash.bytes)})`,
        tenant.active ? "now" : `${ago(tenant.seenAt ?? tenant.createdAt)} ago`,
        tenant.tenant,
        remarks(tenant),
    ];
};

/** What a person should know of it. */
const remarks = ({ confirmed, deleted, unconfirmed, kept }: Holdings): string =>
    [
        confirmed ? undefined : "unconfirmed: the run that made it did not end well",
        deleted ? "its Node was removed" : undefined,
        unconfirmed > 0 ? `${unconfirmed} unconfirmed` : undefined,
        kept > 0 ? `data of ${kept} kept` : undefined,
    ]
        .filter((remark) => remark !== undefined)
        .join("; ");
