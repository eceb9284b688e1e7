import type { Command } from "commander";
import type { ResourceStatus } from "../protocol/api.ts";
import { ZeroformError } from "../protocol/errors.ts";
import { formatResourceId, type Life, type MachineId } from "../protocol/ids.ts";
import { partsOf } from "../protocol/urn.ts";
import type { NodeLink } from "../provider/node/pool.ts";
import { formatDuration } from "../schema/quantity.ts";
import { confirm } from "./confirm.ts";
import { explain, parseLife } from "./help.ts";
import { change, type NodeOptions, nodesOf, theOneWith, withNodeOptions } from "./nodes.ts";

/** As long as a Node's `trash` says when a program says nothing. */
const TRASH_MS = 24 * 60 * 60_000;
/** As long as `pulumi` waits for a delete. */
const WAIT_MS = 5 * 60_000;

interface Options extends NodeOptions {
    readonly purge?: boolean;
    readonly yes?: boolean;
    readonly json?: boolean;
}

/** `zeroform remove`: takes away what no program knows any more, and only that. */
export const register = (program: Command): void => {
    const command = withNodeOptions(program.command("remove").argument("<life>", "life of the resource, as `status` shows it", parseLife))
        .description("remove what no program knows any more: kept data, and resources that were taken out of a stack's state")
        .option("--purge", "delete the data at once instead of leaving them in the trash for a day")
        .option("--yes", "do not ask for its name, where data go for good or another stack may have it")
        .option("--json", 'print JSON: node, kind, name, life, and data, which is "purged" or "trash"')
        .action(async (life: Life, options: Options) => {
            const nodes = await nodesOf(options);
            const { node, found } = await theOneWith(nodes, (link) => onMachine(link, life), {
                code: "LIFE_UNKNOWN",
                message: `there is no ${life} on ${nodes.map(({ name }) => name).join(", ")}`,
                hint: "`zeroform status` shows what there is.",
            });
            const { machine, resource } = found;
            const { kind, name, tenant } = resource;
            if (node.known?.has(formatResourceId(machine, tenant, life)))
                throw new ZeroformError({
                    code: "IN_USE",
                    kind,
                    name,
                    node: node.name,
                    message: "it belongs to the selected stack",
                    hint: "Take it out of the program and run `pulumi up`.",
                });
            // Of a machine named by its address nobody here can tell whether a stack somewhere still has this.
            const mayBelong = node.known === undefined && resource.state !== "kept";
            if (options.purge || mayBelong) {
                const { stack, project } = partsOf(resource.urn);
                const end = options.purge ? ", and deletes its data for good" : "";
                await confirm(
                    `this removes ${kind} "${name}" of stack ${stack} (project ${project}) from ${node.name}${end}`,
                    name,
                    options.yes,
                );
            }
            const trashMs = options.purge ? 0 : TRASH_MS;
            const params = { caller: { machine, tenant, seen: [] }, life, onRemove: "delete", trashMs, waitMs: WAIT_MS } as const;
            await change(node, (link) => link.request("resource.delete", params));
            if (options.json) {
                const data = options.purge ? "purged" : "trash";
                console.log(JSON.stringify({ node: node.name, kind, name, life, data }, null, 2));
                return;
            }
            const data = options.purge
                ? "its data are deleted"
                : `its data wait ${formatDuration(trashMs)} in the trash (zeroform trash restore ${life})`;
            console.log(`${node.name}: ${kind} "${name}" is removed; ${data}`);
        });
    explain(command, {
        details: [
            "What the selected stack knows is refused: that is for pulumi to remove. It asks before it deletes data for good, and before it removes from a machine that is named with --host what is not kept data: a stack elsewhere may have it. Without a terminal to ask on, --yes has to be there.",
        ],
        examples: [
            ["zeroform remove l4k2m9p7q3r8s5t6v", "its data go to the trash for a day"],
            ["zeroform remove l4k2m9p7q3r8s5t6v --purge --host 10.0.0.11", "its data are deleted at once, on a machine without a stack"],
        ],
    });
};

const onMachine = async (
    link: NodeLink,
    life: Life,
): Promise<{ readonly machine: MachineId; readonly resource: ResourceStatus } | undefined> => {
    const { welcome, resources } = await link.request("status", { events: 0 });
    const resource = resources.find((each) => each.life === life);
    return resource && { machine: welcome.machine, resource };
};
