import type { Command } from "commander";
import type { Holdings } from "../protocol/api.ts";
import { isTenantId, type MachineId, type TenantId } from "../protocol/ids.ts";
import { partsOf } from "../protocol/urn.ts";
import type { NodeLink } from "../provider/node/pool.ts";
import { formatDuration, formatSize } from "../schema/quantity.ts";
import { confirm } from "./confirm.ts";
import { explain, WrongUse } from "./help.ts";
import { change, type NodeOptions, nodesOf, theOneWith, withNodeOptions } from "./nodes.ts";
import { sayStillThere } from "./purge.ts";
import { counted } from "./text.ts";

/** As long as a Node's `trash` says when a program says nothing. */
const TRASH_MS = 24 * 60 * 60_000;
/** Everything of a stack, one thing after another; the agent goes on when it takes longer. */
const WAIT_MS = 30 * 60_000;

interface Options extends NodeOptions {
    readonly purge?: boolean;
    readonly yes?: boolean;
    readonly json?: boolean;
}

/** `zeroform evict`: a machine is rid of a stack that nobody has any more. */
export const register = (program: Command): void => {
    const command = withNodeOptions(program.command("evict").argument("<tenant>", "id of the tenant, as `zeroform tenants` shows it"))
        .description("remove a tenant with all its resources from a machine, when the stack that made it is lost")
        .option("--purge", "delete its data at once, and what it has in the trash, instead of leaving them in the trash for a day")
        .option("--yes", "do not ask for the name of its Node")
        .option("--json", "print JSON: node, tenant, name, stack, project, removed resources, and what becomes of data and agent")
        .action(async (tenant: string, options: Options) => {
            if (!isTenantId(tenant)) throw new WrongUse(`"${tenant}" is not a tenant`, "`zeroform tenants <host>` shows them.");
            if (!options.host) throw new WrongUse("which machine is meant is not said", "Name it with --host.");
            const nodes = await nodesOf(options);
            const { node, found } = await theOneWith(nodes, (link) => onMachine(link, tenant), {
                code: "TENANT_UNKNOWN",
                message: `there is no tenant ${tenant} on ${nodes.map(({ name }) => name).join(", ")}`,
                hint: "`zeroform tenants <host>` shows who is.",
            });
            const { machine, holdings } = found;
            const { stack, project, name } = partsOf(holdings.urn);
            const has = holdings.resources.map(({ kind, count }) => `${count} ${kind}`).join(", ") || "nothing";
            const question = `this removes Node "${name}" of stack ${stack} (project ${project}) from ${node.name}, which has ${has} (${formatSize(holdings.bytes)}) there${options.purge ? ", and deletes its data for good" : ""}`;
            await confirm(question, name, options.yes);
            const trashMs = options.purge ? 0 : TRASH_MS;
            const { removed, agent, data } = await change(node, async (link) => {
                const onProgress = ({ doing }: { readonly doing: string }) => process.stderr.isTTY && console.error(doing);
                const done = await link.request("tenant.evict", { machine, tenant, trashMs, waitMs: WAIT_MS }, { onProgress });
                if (!options.purge) return { ...done, data: "trash" } as const;
                const lives = (await link.request("trash.list", {})).flatMap((piece) => (piece.tenant === tenant ? [piece.life] : []));
                const { pieces } = lives.length > 0 ? await link.request("trash.purge", { lives }) : { pieces: [] };
                const data = sayStillThere(node, pieces) === 0 ? "purged" : "trash";
                const left = (await link.request("trash.list", {})).length;
                return { ...done, data, agent: done.agent === "trash" && left === 0 ? "removed" : done.agent } as const;
            });
            if (options.json) {
                console.log(JSON.stringify({ node: node.name, tenant, name, stack, project, removed, data, agent }, null, 2));
                return;
            }
            const list = `zeroform trash list --host ${node.name}`;
            const whatOfData = {
                purged: "its data are deleted",
                trash: options.purge
                    ? `some of its data are in the trash (${list})`
                    : `its data wait ${formatDuration(trashMs)} in the trash (${list})`,
            }[data];
            console.log(
                `${node.name}: Node "${name}" of stack ${stack} is removed with ${counted(removed.length, "resource")}; ${whatOfData}; ${agentWords[agent]}`,
            );
        });
    explain(command, {
        details: ["Where the program is still there, `zeroform adopt` gives the stack its state back instead."],
        examples: [
            ["zeroform evict t7k2m9p7q3r8s5t6v --host 10.0.0.11", "asks for the name of its Node, then its data go to the trash for a day"],
            ["zeroform evict t7k2m9p7q3r8s5t6v --host 10.0.0.11 --purge --yes", "nothing of it stays"],
        ],
    });
};

const agentWords = {
    removed: "nothing is left there, and the agent goes",
    trash: "the agent goes with the last of the trash",
    stays: "the agent stays for others",
} as const;

const onMachine = async (
    link: NodeLink,
    tenant: TenantId,
): Promise<{ readonly machine: MachineId; readonly holdings: Holdings } | undefined> => {
    const holdings = (await link.request("tenant.list", {})).find((each) => each.tenant === tenant);
    return holdings && { machine: link.welcome.machine, holdings };
};
