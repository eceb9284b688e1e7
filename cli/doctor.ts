import type { Command } from "commander";
import { NodePool } from "../provider/node/pool.ts";
import { type Check, checkLines } from "./check.ts";
import { checkHere } from "./doctor-here.ts";
import { checkNode } from "./doctor-node.ts";
import { explain } from "./help.ts";
import { linkTo, type NodeOptions, nodesByName, withWayOptions } from "./nodes.ts";

interface Options extends Omit<NodeOptions, "host"> {
    readonly json?: boolean;
}

/** As long as a command waits for any node. */
const CONNECT_MS = 15_000;

/** `zeroform doctor`: what is missing, and what to do. */
export const register = (program: Command): void => {
    const command = withWayOptions(
        program
            .command("doctor")
            .argument("[host...]", "names of Nodes in the selected stack, or addresses, names or ~/.ssh/config aliases of machines")
            .option("--json", "print a JSON array: about, and checks with what, state, found and fix"),
    )
        .description("check this machine, or machines that are or shall become Nodes, and say what to do; it changes nothing")
        .action(async (hosts: readonly string[], options: Options) => {
            const reports = hosts.length === 0 ? [await here()] : await there(hosts, options);
            if (options.json) console.log(JSON.stringify(reports, null, 2));
            else console.log(reports.map(({ about, checks }) => `${about}\n${checkLines(checks)}`).join("\n\n"));
            process.exitCode = reports.some(({ checks }) => checks.some(({ state }) => state === "failed")) ? 1 : 0;
        });
    explain(command, {
        details: [
            "Without a host it looks at the machine on which you run pulumi. With one it logs in, tries whether files can be made and run under /var/lib (and takes them away again), and shows every requirement, whether it is met or not.",
        ],
        examples: [
            ["zeroform doctor", "this machine"],
            ["zeroform doctor 10.0.0.11 --user admin", "a machine that shall become a Node"],
            ["zeroform doctor alpha beta --json", "two Nodes of the selected stack, for a program"],
        ],
        exits: [
            ["0", "nothing has failed; there may be warnings"],
            ["1", "something has failed"],
            ["2", "wrong use: an unknown command, option or value"],
        ],
    });
};

interface Report {
    readonly about: string;
    readonly checks: readonly Check[];
}

const here = async (): Promise<Report> => ({ about: "this machine", checks: await checkHere() });

const there = async (hosts: readonly string[], options: Omit<NodeOptions, "host">): Promise<readonly Report[]> => {
    const nodeOf = await nodesByName(hosts, options);
    const pool = new NodePool();
    const look = async (host: string): Promise<Report> => {
        const node = nodeOf(host);
        const connect = () => pool.connection(node.reach, AbortSignal.timeout(CONNECT_MS));
        return { about: host, checks: await checkNode(host, connect, () => linkTo(pool, node)) };
    };
    try {
        return await Promise.all(hosts.map(look));
    } finally {
        await pool.end();
    }
};
