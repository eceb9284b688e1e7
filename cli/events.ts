import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { AgentEvent } from "../protocol/api.ts";
import { ZeroformError } from "../protocol/errors.ts";
import { parseResourceId } from "../protocol/ids.ts";
import { NodePool } from "../provider/node/pool.ts";
import { explain, parseCount } from "./help.ts";
import { linkTo, type NamedNode, type NodeOptions, nodesOf, withNodeOptions } from "./nodes.ts";
import { print } from "./stream.ts";
import { harmless } from "./text.ts";
import { given, printTable, sayUnreached } from "./unreached.ts";

interface Options extends NodeOptions {
    readonly follow?: boolean;
    readonly lines: number;
    readonly json?: boolean;
}

const USUAL_LINES = 20;
/** The agent answers by then, news or none: an answer that stays out tells that the node is away. */
const WAIT_MS = 20_000;
const ANSWER_MS = 10_000;
const AGAIN_MS = 1_000;

/** `zeroform events`: what agents have done and seen. */
export const register = (program: Command): void => {
    const command = withNodeOptions(
        program
            .command("events")
            .argument("[node|resource]", "only those of a Node, or of a resource by its name or life")
            .option("-f, --follow", "go on with what comes, until Ctrl-C; a node that goes away is waited for")
            .option("-n, --lines <number>", "how many of the latest events of each node", parseCount, USUAL_LINES)
            .option("--json", "print a JSON array; with --follow, each event as a JSON object on a line"),
    )
        .description("show what agents have done and seen: made, changed, healed, broken, lost, removed, purged ...")
        .action(events);
    explain(command, {
        details: ["A machine keeps its last 1,000 events. Times are those of the node's clock."],
        examples: [
            ["zeroform events", "the last 20 of each node of the selected stack"],
            ["zeroform events disk -f", "those of the resource disk, and then what comes"],
            ["zeroform events alpha -n 100 --json", "the last 100 of the Node alpha, for a program"],
        ],
    });
};

/** Events of a node that are asked for: all, or those about one resource. */
interface Wanted {
    readonly node: NamedNode;
    readonly about?: string;
    /** Nothing of that name is known. */
    readonly isGuess?: true;
}

const events = async (what: string | undefined, options: Options): Promise<void> => {
    const wanted = wantedOf(await nodesOf(options), what);
    const pool = new NodePool();
    try {
        const asked = wanted.map(async (each) => ({ ...each, answer: await latest(pool, each, options.lines) }));
        const answers = await Promise.all(asked);
        const found = given(answers).flatMap(({ node, answer }) => answer.events.map((event) => ({ node: node.name, ...event })));
        const sorted = found.toSorted((one, other) => one.at - other.at);
        if (options.follow) for (const event of sorted) await show(event, options);
        else if (options.json) console.log(JSON.stringify(sorted, null, 2));
        else
            printTable(
                ["WHEN", "NODE", "EVENT", "RESOURCE", "WHAT"],
                sorted.map(row),
                answers,
                `no events${what === undefined ? "" : ` of "${what}"`}`,
            );
        sayUnreached(answers);
        if (options.follow && found.length === 0 && answers.some(({ isGuess }) => isGuess))
            console.error(`no "${what}" is known yet, neither as a Node nor as a resource: waiting for its events`);
        if (!options.follow) return;
        await Promise.all(answers.map((each) => follow(pool, each, each.answer, options.lines, (event) => show(event, options))));
    } finally {
        await pool.end();
    }
};

/** Where events are looked for, and about what. */
const wantedOf = (nodes: readonly NamedNode[], what: string | undefined): readonly Wanted[] => {
    if (what === undefined) return nodes.map((node) => ({ node }));
    const named = nodes.filter(({ name }) => name === what);
    if (named.length > 0) return named.map((node) => ({ node }));
    const own = nodes.flatMap((node) =>
        (node.resources ?? []).flatMap(({ urn, name, id }) => {
            const life = parseResourceId(id)?.life;
            return life !== undefined && [urn, name, life].includes(what) ? [{ node, about: life }] : [];
        }),
    );
    // What no stack knows may still be, or have been, on a machine.
    return own.length > 0 ? own : nodes.map((node) => ({ node, about: what, isGuess: true }));
};

interface Position {
    readonly events: readonly AgentEvent[];
    readonly machine: string;
}

const latest = async (pool: NodePool, { node, about }: Wanted, count: number): Promise<Position | ZeroformError> => {
    try {
        const link = await linkTo(pool, node);
        const events = await link.request("events", { latest: count, ...(about !== undefined && { about }) });
        return { events, machine: link.welcome.machine };
    } catch (thrown) {
        if (thrown instanceof ZeroformError) return thrown.with({ node: node.name });
        throw thrown;
    }
};

/** For ever, over restarts of the agent and of the machine; ends only with what no waiting mends. */
const follow = async (
    pool: NodePool,
    { node, about }: Wanted,
    begun: Position | ZeroformError,
    lines: number,
    show: (event: Shown) => Promise<void>,
): Promise<void> => {
    let machine = begun instanceof ZeroformError ? undefined : begun.machine;
    // What was away at the begin shows its latest, as the others did.
    let after = begun instanceof ZeroformError ? undefined : (begun.events.at(-1)?.id ?? 0);
    let isAway = begun instanceof ZeroformError;
    for (;;) {
        try {
            const link = await linkTo(pool, node);
            // A machine that began anew counts its events from the beginning.
            if (machine !== undefined && machine !== link.welcome.machine) after = 0;
            machine = link.welcome.machine;
            isAway = false;
            const wish = {
                ...(after === undefined ? { latest: lines } : { after, waitMs: WAIT_MS }),
                ...(about !== undefined && { about }),
            };
            const found = await link.request("events", wish, { signal: AbortSignal.timeout(WAIT_MS + ANSWER_MS) });
            for (const event of found) await show({ node: node.name, ...event });
            after = found.at(-1)?.id ?? after ?? 0;
        } catch (thrown) {
            const isLate = thrown instanceof Error && thrown.name === "TimeoutError";
            if (!isLate && !(thrown instanceof ZeroformError)) throw thrown;
            if (thrown instanceof ZeroformError && !thrown.retryable && thrown.code !== "TIMEOUT" && !isAway)
                return sayUnreached([{ node, answer: thrown }]);
            if (!isAway) console.error(`${node.name} is away${thrown instanceof ZeroformError ? `: ${thrown.sentence()}` : ""}`);
            isAway = true;
            await sleep(AGAIN_MS);
        }
    }
};

type Shown = AgentEvent & { readonly node: string };

const show = (event: Shown, { json }: Options): Promise<void> => print(json ? JSON.stringify(event) : row(event).join("  "));

const row = ({ at, node, what, name, detail }: Shown): readonly string[] => [
    new Date(at).toISOString(),
    node,
    what,
    harmless(name ?? "-"),
    harmless(detail),
];
