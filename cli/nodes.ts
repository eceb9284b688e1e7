import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type Command, InvalidArgumentError } from "commander";
import { type ErrorFacts, ZeroformError } from "../protocol/errors.ts";
import { mintSessionId } from "../protocol/ids.ts";
import { type NodeLink, NodePool } from "../provider/node/pool.ts";
import { type Reach, reach } from "../schema/on-node.ts";

/** A stack's state with the secrets in clear stays in memory; far above what any stack takes. */
const STATE_LIMIT_BYTES = 256 * 2 ** 20;
/** A node that does not answer holds up nothing but its own line. */
const LINK_LIMIT_MS = 15_000;

/** A node that a command is about. */
export interface NamedNode {
    readonly name: string;
    readonly reach: Reach;
    /** Ids of the resources that the selected stack has on it; undefined when asked by address. */
    readonly known?: ReadonlySet<string>;
}

export interface NodeOptions {
    readonly host?: readonly string[];
    readonly port?: number;
    readonly user?: string;
    readonly identityFile?: string;
    readonly hostKey?: string;
    readonly stack?: string;
}

/** The options by which a command is told of nodes: those of the selected stack, or addresses. */
export const withNodeOptions = (command: Command): Command =>
    command
        .option("--host <address...>", "address, name or ~/.ssh/config alias, instead of the nodes of the selected stack")
        .option("--port <number>", "SSH port", parsePort)
        .option("--user <name>", "SSH user: root, or one with passwordless sudo")
        .option("--identity-file <path>", "private key file")
        .option("--host-key <key>", 'the host key that the machine has to show ("ssh-ed25519 AAAA...")')
        .option("-s, --stack <name>", "the stack whose nodes are meant, instead of the selected one");

/** The nodes that the options name, or those of the stack selected in this folder. */
export const nodesOf = async ({ host, port, user, identityFile, hostKey, stack }: NodeOptions): Promise<readonly NamedNode[]> => {
    if (!host) return nodesOfStack(stack);
    const shared = {
        ...(port !== undefined && { port }),
        ...(user && { user }),
        ...(identityFile && { identityFile }),
        ...(hostKey && { hostKey }),
    };
    return host.map((address) => ({ name: address, reach: reach.parse({ host: address, ...shared }) }));
};

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

const linkTo = (pool: NodePool, { reach }: NamedNode): Promise<NodeLink> =>
    pool.link(reach, { agent: "present", signal: AbortSignal.timeout(LINK_LIMIT_MS) });

interface StateResource {
    readonly urn: string;
    readonly type: string;
    readonly id?: string;
    readonly outputs?: Readonly<Record<string, unknown>>;
}

const nodesOfStack = async (stack: string | undefined): Promise<readonly NamedNode[]> => {
    const resources = await exportStack(stack);
    const ours = resources.filter(({ type }) => type.includes("dynamic/zeroform:"));
    const nodes = ours.filter(({ type }) => type.endsWith(":Node"));
    if (nodes.length === 0) {
        throw new ZeroformError({
            code: "INVALID",
            message: "the stack has no Node",
            hint: "Run `pulumi up` first, or name a machine with --host.",
        });
    }
    const named = nodes.map(({ urn, id = "", outputs = {} }) => ({
        name: urn.split("::").at(-1) ?? urn,
        reach: reach.parse(
            Object.fromEntries(
                Object.keys(reach.shape).flatMap((field) => (outputs[field] == null ? [] : [[field, inClear(outputs[field])]])),
            ),
        ),
        known: new Set(ours.flatMap((resource) => (resource.id?.startsWith(`${id}/`) ? [resource.id] : []))),
    }));
    return named.toSorted((one, other) => one.name.localeCompare(other.name));
};

/** Secrets are exported in clear because a Node may be reached with a private key; nothing of it is printed. */
const exportStack = async (stack: string | undefined): Promise<readonly StateResource[]> => {
    const args = ["stack", "export", "--show-secrets", "--non-interactive", ...(stack ? ["--stack", stack] : [])];
    const { stdout } = await promisify(execFile)("pulumi", args, { maxBuffer: STATE_LIMIT_BYTES }).catch((thrown: unknown) => {
        throw noStack(thrown);
    });
    const { deployment } = JSON.parse(stdout) as { readonly deployment: { readonly resources?: readonly StateResource[] } };
    return deployment.resources ?? [];
};

const noStack = (thrown: unknown): ZeroformError => {
    const hint = "Run this in a Pulumi project with a selected stack, or name a machine with --host.";
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT")
        return new ZeroformError({ code: "INVALID", message: "the pulumi command is not on PATH", hint });
    const said = thrown instanceof Error && "stderr" in thrown ? String(thrown.stderr) : "";
    const words = said
        .trim()
        .split("\n")
        .at(0)
        ?.replace(/^error: /, "");
    return new ZeroformError({ code: "INVALID", message: `the selected stack cannot be read${words ? `: ${words}` : ""}`, hint });
};

/** What `stack export --show-secrets` gives for a secret: its JSON as text beside a signature. */
const inClear = (value: unknown): unknown => {
    if (typeof value === "object" && value !== null && "plaintext" in value && typeof value.plaintext === "string")
        return JSON.parse(value.plaintext) as unknown;
    return value;
};

const parsePort = (text: string): number => {
    const port = Number(text);
    if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new InvalidArgumentError("a port is 1 to 65535");
    return port;
};
