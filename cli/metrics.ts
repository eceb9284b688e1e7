import type { Command } from "commander";
import { ZeroformError } from "../protocol/errors.ts";
import { type Family, joined, prometheusText } from "../protocol/metrics.ts";
import { explain } from "./help.ts";
import { askEach, chosen, type NodeOptions, nodesOf, withNodeOptions } from "./nodes.ts";
import { sayUnreached } from "./unreached.ts";

interface Options extends NodeOptions {
    readonly json?: boolean;
}

/** `zeroform metrics`: figures of agents and engines, as Prometheus reads them. */
export const register = (program: Command): void => {
    const command = withNodeOptions(
        program
            .command("metrics")
            .argument("[node...]", "names of Nodes in the selected stack (default: all)")
            .option("--json", "print families with their samples as JSON"),
    )
        .description("print figures of agents and engines as Prometheus reads them, each with a label for its node")
        .action(async (names: readonly string[], options: Options) => {
            const nodes = chosen(await nodesOf(options), names);
            const answers = await askEach(nodes, (link) => link.request("metrics", {}));
            const families = joined(
                answers.map(({ node, answer }) => ({
                    labels: { node: node.name },
                    families: answer instanceof ZeroformError ? DOWN : answer,
                })),
            );
            if (options.json) console.log(JSON.stringify(families, null, 2));
            else process.stdout.write(prometheusText(families));
            sayUnreached(answers);
        });
    explain(command, {
        details: [
            "A node that is not reached has zeroform_up 0. An engine that is dead or slow has its own figure that says so, and holds up nothing else for longer than three seconds. docs/cli.md tells how to scrape this.",
        ],
        examples: [
            ["zeroform metrics", "all nodes of the selected stack"],
            ["zeroform metrics alpha > zeroform.prom", "one of them, for a textfile collector"],
            ["ssh root@10.0.0.11 /var/lib/zeroform/current/zeroform-agent metrics", "the same on the machine itself, without zeroform"],
        ],
    });
};

const DOWN: readonly Family[] = [
    { name: "zeroform_up", help: "Whether the agent answers.", type: "gauge", samples: [{ labels: {}, value: 0 }] },
];
