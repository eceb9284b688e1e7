import { type Command, InvalidArgumentError } from "commander";
import { type ErrorFacts, ZeroformError } from "../protocol/errors.ts";
import { mintSessionId } from "../protocol/ids.ts";
import { type Connection, type NodeLink, NodePool } from "../provider/node/pool.ts";
import { type Reach, reach } from "../schema/on-node.ts";
import { WrongUse } from "./help.ts";
import { isInProject } from "./project.ts";
import { type NamedNode, nodesOfStack } from "./stack.ts";

export type { NamedNode } from "./stack.ts";

/** A node that does not answer holds up nothing but its own line. */
const LINK_LIMIT_MS = 15_000;
/** A contact that goes well takes less, also over slow links. */
const QUIET_MS = 2_500;

export interface NodeOptions {
    readonly host?: readonly string[];
    readonly port?: number;
    readonly user?: string;
    readonly identityFile?: string;
    readonly hostKey?: string;
    readonly stack?: string;
}

/**
 * The options by which a command is told of nodes: those of the selected stack, or addresses. To be added after the command's arguments: where
 * there are any, `--host` takes one address each time, as what follows it is the argument.
 */
export const withNodeOptions = (command: Command): Command => {
    const words = "address, name or ~/.ssh/config alias, instead of the nodes of the selected stack";
    return withWayOptions(
        command.registeredArguments.length === 0
            ? command.option("--host <address...>", words)
            : command.option("--host <address>", `${words}; may be given several times`, collected),
    );
};

const collected = (address: string, before: readonly string[] = []): readonly string[] => [...before, address];

/** The options that say how to reach a node that is named otherwise. */
export const withWayOptions = (command: Command): Command =>
    command
        .option("--port <number>", "SSH port", parsePort)
        .option("--user <name>", "SSH user: root, or one with passwordless sudo")
        .option("--identity-file <path>", "private key file")
        .option("--host-key <key>", 'the host key that the machine has to show ("ssh-ed25519 AAAA...")')
        .option("-s, --stack <name>", "the stack whose nodes are meant, instead of the selected one");

/** The nodes that the options name, or those of the stack selected in this folder. */
export const nodesOf = async ({ host, stack, ...way }: NodeOptions): Promise<readonly NamedNode[]> => {
    if (!host) return (await nodesOfStack(stack)).map((node) => reachedBy(node, way));
    return host.map((address) => byAddress(address, way));
};

/** What the command line says wins over the stack's state. */
const reachedBy = (node: NamedNode, way: Way): NamedNode => ({ ...node, reach: { ...node.reach, ...given(way) } });

/** The options that say how to reach one machine. */
type Way = Pick<NodeOptions, "port" | "user" | "identityFile" | "hostKey">;

/** What the names on a command line mean: Nodes of the selected stack, by their names or where they are, or any machines by their addresses. */
export const nodesByName = async (
    names: readonly string[],
    { stack, ...way }: Omit<NodeOptions, "host">,
): Promise<(name: string) => NamedNode> => {
    const nodes = await nodesOfStack(stack).catch((thrown: unknown) => {
        if (stack !== undefined || !(thrown instanceof ZeroformError) || thrown.code !== "INVALID") throw thrown;
        // What is no address may be meant as a name in the stack: then that it has no address would mislead.
        for (const name of names)
            if (isInProject() && !/[.:]/.test(name)) console.error(`${name} is taken for an address: ${thrown.sentence()}`);
        return [];
    });
    return (name) => {
        const found = nodes.find((node) => node.name === name) ?? nodes.find((node) => node.reach.host === name);
        if (found) return reachedBy(found, way);
        if (stack === undefined) return byAddress(name, way);
        throw new ZeroformError({
            code: "INVALID",
            message: `the stack ${stack} has no Node "${name}"`,
            hint: `It has ${nodes.map((node) => node.name).join(", ")}; leave --stack out to name a machine by its address.`,
        });
    };
};

/** Those of some nodes that are named, or all of them when none is. */
export const chosen = (nodes: readonly NamedNode[], names: readonly string[]): readonly NamedNode[] => {
    if (names.length === 0) return nodes;
    return names.map((name) => {
        const found = nodes.find((node) => node.name === name) ?? nodes.find((node) => node.reach.host === name);
        if (found) return found;
        throw new ZeroformError({
            code: "INVALID",
            message: `there is no Node "${name}"`,
            hint: `There is ${nodes.map((node) => node.name).join(", ")}.`,
        });
    });
};

const byAddress = (address: string, way: Way): NamedNode => {
    if (address.trim() === "") throw new WrongUse("the name of a machine is empty", "Is the variable set that it was to come from?");
    const parsed = reach.safeParse({ host: address, ...given(way) });
    if (parsed.success) return { name: address, reach: parsed.data };
    const [issue] = parsed.error.issues;
    throw new ZeroformError({
        code: "INVALID",
        message: `"${address}" cannot be reached as told: ${issue?.path.join(".") || "host"}: ${issue?.message}`,
    });
};

const given = ({ port, user, identityFile, hostKey }: Way): Partial<Reach> => ({
    ...(port !== undefined && { port }),
    ...(user && { user }),
    ...(identityFile && { identityFile }),
    ...(hostKey && { hostKey }),
});

/** What a node answered; its error when it could not be asked. */
export interface Answered<T> {
    readonly node: NamedNode;
    readonly answer: T | ZeroformError;
}

type Ask<T> = (link: NodeLink, node: NamedNode) => Promise<T>;

/** Asks each node at once, over one connection each, as an observer: nodes write nothing down for it. */
export const askEach = async <T>(nodes: readonly NamedNode[], ask: Ask<T>): Promise<readonly Answered<T>[]> => {
    const pool = new NodePool();
    try {
        return await Promise.all(
            nodes.map(async (node) => {
                try {
                    return { node, answer: await ask(await linkTo(pool, node), node) };
                } catch (thrown) {
                    if (thrown instanceof ZeroformError) return { node, answer: thrown };
                    throw thrown;
                }
            }),
        );
    } finally {
        await pool.end();
    }
};

/** The node on which something is found, asked like all others. Throws `absent` when it is on none, or the error of one that was not reached. */
export const theOneWith = async <T>(
    nodes: readonly NamedNode[],
    find: (link: NodeLink) => Promise<T | undefined>,
    absent: ErrorFacts,
): Promise<{ readonly node: NamedNode; readonly found: T }> => {
    const answers = await askEach(nodes, find);
    for (const { node, answer } of answers) if (answer !== undefined && !(answer instanceof ZeroformError)) return { node, found: answer };
    for (const { node, answer } of answers) if (answer instanceof ZeroformError) throw answer.with({ node: node.name });
    throw new ZeroformError(absent);
};

/** Changes something on a node, for which it keeps a session. */
export const change = async <T>(node: NamedNode, act: Ask<T>): Promise<T> => {
    const pool = new NodePool({ session: mintSessionId() });
    try {
        return await act(await linkTo(pool, node), node);
    } catch (thrown) {
        throw thrown instanceof ZeroformError ? thrown.with({ node: node.name }) : thrown;
    } finally {
        await pool.end();
    }
};

/** Works over the SSH connections to nodes alone, whatever their agents do. */
export const overSsh = async <T>(act: (connect: (node: NamedNode) => Promise<Connection>) => Promise<T>): Promise<T> => {
    const pool = new NodePool();
    try {
        return await act(async (node) => {
            try {
                return await waitedFor(node, pool.connection(node.reach, AbortSignal.timeout(LINK_LIMIT_MS)));
            } catch (thrown) {
                throw thrown instanceof ZeroformError ? thrown.with({ node: node.name }) : thrown;
            }
        });
    } finally {
        await pool.end();
    }
};

export const linkTo = (pool: NodePool, node: NamedNode): Promise<NodeLink> =>
    waitedFor(node, pool.link(node.reach, { agent: "present", signal: AbortSignal.timeout(LINK_LIMIT_MS) }));

/** A person on a terminal is told what is waited for when it takes longer than usual. */
const waitedFor = async <T>({ name, reach }: NamedNode, contact: Promise<T>): Promise<T> => {
    const title = name === reach.host ? name : `${name} (${reach.host})`;
    const say = () => console.error(`${title} has not answered yet; giving it ${LINK_LIMIT_MS / 1_000} s`);
    const timer = process.stderr.isTTY ? setTimeout(say, QUIET_MS) : undefined;
    try {
        return await contact;
    } finally {
        clearTimeout(timer);
    }
};

const parsePort = (text: string): number => {
    const port = Number(text);
    if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new InvalidArgumentError("a port is 1 to 65535");
    return port;
};
