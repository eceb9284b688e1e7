import { Argument, type Command } from "commander";
import { explain } from "./help.ts";
import { change, type NodeOptions, nodesOf, withNodeOptions } from "./nodes.ts";

interface Options extends NodeOptions {
    readonly json?: boolean;
}

/** `zeroform machine`: says what a machine is whose disk was copied. */
export const register = (program: Command): void => {
    const command = withNodeOptions(
        program
            .command("machine")
            .addArgument(
                new Argument(
                    "<same|new>",
                    "`same`: this installation moved to other hardware; `new`: this is a copy, and a machine of its own from now on",
                ).choices(["same", "new"]),
            )
            .option("--json", "print a JSON array: node and machine"),
    )
        .description("say what a machine is that the agent took for a copy of another one")
        .action(async (as: "same" | "new", options: Options, command: Command) => {
            if (!options.host) return command.error("error: which machine is meant is not said: name it with --host");
            const claimed = [];
            for (const node of await nodesOf(options)) {
                const { machine } = await change(node, (link) => link.request("machine.claim", { as }));
                claimed.push({ node: node.name, machine });
            }
            if (options.json) console.log(JSON.stringify(claimed, null, 2));
            else for (const { node, machine } of claimed) console.log(`${node} is machine ${machine}`);
        });
    explain(command, {
        details: [
            "The agent of a machine whose disk was copied does nothing until this is said, as two agents with one identity would harm each other's data.",
        ],
        examples: [
            ["zeroform machine same --host 10.0.0.11", "the disk has moved to other hardware"],
            ["zeroform machine new --host 10.0.0.12", "the machine was cloned from another one"],
        ],
    });
};
