import type { Command } from "commander";
import { ZeroformError } from "../protocol/errors.ts";
import { change, type NodeOptions, nodesOf, withNodeOptions } from "./nodes.ts";

/** `zeroform machine`: says what a machine is whose disk was copied. */
export const register = (program: Command): void => {
    withNodeOptions(
        program
            .command("machine")
            .argument(
                "<same|new>",
                "`same`: this installation moved to other hardware; `new`: this is a copy, and a machine of its own from now on",
            ),
    )
        .description("say what a machine is that the agent took for a copy of another one")
        .action(async (as: string, options: NodeOptions) => {
            if (as !== "same" && as !== "new")
                throw new ZeroformError({
                    code: "INVALID",
                    message: `"${as}" is neither same nor new`,
                    hint: "See `zeroform machine --help`.",
                });
            if (!options.host)
                throw new ZeroformError({ code: "INVALID", message: "which machine is meant is not said", hint: "Name it with --host." });
            for (const node of await nodesOf(options)) {
                const { machine } = await change(node, (link) => link.request("machine.claim", { as }));
                console.log(`${node.name} is machine ${machine}`);
            }
        });
};
