import type { Command } from "commander";
import type { TrashStatus } from "../protocol/api.ts";
import { ZeroformError } from "../protocol/errors.ts";
import type { Life } from "../protocol/ids.ts";
import { partsOf } from "../protocol/urn.ts";
import type { NodeLink } from "../provider/node/pool.ts";
import { formatSize } from "../schema/quantity.ts";
import { explain, parseLife } from "./help.ts";
import { askEach, change, type NodeOptions, nodesOf, theOneWith, withNodeOptions } from "./nodes.ts";
import { registerPurge } from "./purge.ts";
import { ago } from "./text.ts";
import { given, printTable, sayUnreached } from "./unreached.ts";

/** `zeroform trash`: data of removed resources, and the way back. */
export const register = (program: Command): void => {
    const trash = program.command("trash").description("data of removed resources: list it, bring it back, purge it");

    const listing = withNodeOptions(trash.command("list"))
        .description("show what is in the trash of each node, and until when")
        .option("--json", "print a JSON array: for each node its trash, or its error")
        .action(async (options: NodeOptions & { readonly json?: boolean }) => {
            const answers = await askEach(await nodesOf(options), (link) => link.request("trash.list", {}));
            if (options.json) {
                console.log(
                    JSON.stringify(
                        answers.map(({ node, answer }) =>
                            answer instanceof ZeroformError
                                ? { node: node.name, error: answer.facts() }
                                : { node: node.name, trash: answer },
                        ),
                        null,
                        2,
                    ),
                );
            } else {
                const rows = given(answers).flatMap(({ node, answer }) => answer.map((entry) => row(node.name, entry)));
                printTable(["NODE", "KIND", "NAME", "SIZE", "REMOVED", "PURGED IN", "LIFE", ""], rows, answers, "nothing in the trash");
            }
            sayUnreached(answers);
        });

    explain(listing, {
        examples: [
            ["zeroform trash list", "what the nodes of the selected stack have in their trash"],
            ["zeroform trash list --host 10.0.0.11 --json", "that of a machine, for a program"],
        ],
    });

    registerPurge(trash);

    const restoring = withNodeOptions(
        trash
            .command("restore")
            .argument("<life>", "life of the removed resource, as `trash list` shows it, or `status` when it was kept", parseLife),
    )
        .description("put removed or kept data back in the place of a resource's own, which goes to the trash instead")
        .option("--into <life>", "the resource to put it into, when it is not the one that the program calls the same", parseLife)
        .option("--json", "print JSON: node, from, and into with life, kind and urn")
        .action(async (life: Life, options: NodeOptions & { readonly into?: Life; readonly json?: boolean }) => {
            const { into } = options;
            const nodes = await nodesOf(options);
            const { node } = await theOneWith(nodes, (link) => isThere(link, life), {
                code: "LIFE_UNKNOWN",
                message: `${life} is not in the trash of ${nodes.map(({ name }) => name).join(", ")}, and no data of it were kept`,
                hint: "`zeroform trash list` and `zeroform status` show what there is.",
            });
            const restored = await change(node, (link) => link.request("trash.restore", { life, ...(into !== undefined && { into }) }));
            if (options.json) return console.log(JSON.stringify({ node: node.name, from: life, ...restored }, null, 2));
            console.log(`${node.name}: ${partsOf(restored.into.urn).name} has the data of ${life} again`);
        });
    explain(restoring, {
        details: [
            "The resource has to exist: bring it back into the program and run `pulumi up` first. Its own data become a new piece of trash, so that a restore can be taken back by another one.",
        ],
        examples: [
            ["zeroform trash restore l4k2m9p7q3r8s5t6v", "into the resource that the program calls the same"],
            ["zeroform trash restore l4k2m9p7q3r8s5t6v --into l9p7q3r8s5t6vk2m4", "into another one of the same kind"],
        ],
    });
};

/** In the trash, or kept. */
const isThere = async (link: NodeLink, life: Life): Promise<true | undefined> => {
    const { trash, resources } = await link.request("status", { events: 0 });
    const isKept = resources.some((resource) => resource.life === life && resource.state === "kept");
    return isKept || trash.some((trashed) => trashed.life === life) ? true : undefined;
};

/** Kept data that had to go by the way of the trash stay there until somebody purges them. */
const NEVER_MS = 10 * 365 * 24 * 60 * 60_000;

const row = (node: string, { kind, name, bytes, removedAt, purgeAt, life, unreachable }: TrashStatus): readonly string[] => [
    node,
    kind,
    name,
    unreachable === undefined ? formatSize(bytes) : "unknown",
    `${ago(removedAt)} ago`,
    purgeAt - Date.now() > NEVER_MS ? "never" : ago(Date.now(), purgeAt),
    life,
    unreachable === undefined ? "" : `cannot be reached: ${unreachable}`,
];
