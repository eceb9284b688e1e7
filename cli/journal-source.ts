import { ZeroformError } from "../protocol/errors.ts";
import { isLife, parseResourceId } from "../protocol/ids.ts";
import { AGENT_UNIT, LAUNCHER } from "../protocol/layout.ts";
import type { ResourceUnits } from "../protocol/units.ts";
import type { Connection } from "../provider/node/pool.ts";
import { rootCommand } from "../provider/node/root-command.ts";
import type { NamedNode } from "./nodes.ts";

/** Where a journal is read. */
export interface Source {
    readonly node: NamedNode;
    /** What it is about: `Zdb "events"`, `the agent`. */
    readonly about: string;
    /** What names it and nothing else. */
    readonly name: string;
    readonly units: readonly string[];
    /** Names of other resources whose journal it is as well. */
    readonly sharedWith: readonly string[];
}

/** The word that means the agent's own log; with `@` and the name of a Node, of that one's. */
const AGENT = "agent";
const UNITS_MS = 30_000;
const NO_LAUNCHER_STATUS = 69;
const OLD_AGENT_STATUS = 2;
/** What every login shell leaves as it is; other names are looked for on this side. */
const PLAIN = /^[\w.:@/-]+$/;

/** The one source that a word names: a resource by name, URN or life, the agent, or a Node for its agent. Throws with the choices when it is not one. */
export const findSource = async (
    nodes: readonly NamedNode[],
    what: string,
    connect: (node: NamedNode) => Promise<Connection>,
): Promise<Source> => {
    const agents = nodes.filter(({ name }) => [AGENT, name, `${AGENT}@${name}`].includes(what)).map(agentOf);
    const owners = nodes.filter((node) => node.resources?.some(isMeant(what)));
    // What the stack knows is asked for where it is: other nodes may be away.
    const asked = owners.length > 0 || agents.length > 0 ? owners : nodes;
    const answers = await Promise.all(asked.map(async (node) => sourcesOn(node, what, await connect(node))));
    const found = [...agents, ...answers.flat()];
    const [one, ...others] = found;
    if (one && others.length === 0) return one;
    if (one === undefined)
        throw new ZeroformError({
            code: "LIFE_UNKNOWN",
            message: `there is no "${what}" on ${nodes.map(({ name }) => name).join(", ")}`,
            hint: "`zeroform status` shows what there is.",
        });
    const choices = found.map(({ name, about, node }) => `\n  zeroform logs ${name}  # ${about} on ${node.name}`);
    throw new ZeroformError({
        code: "INVALID",
        message: `"${what}" may mean any of ${found.length}`,
        hint: `Say which:${choices.join("")}`,
    });
};

const agentOf = (node: NamedNode): Source => ({
    node,
    about: "the agent",
    name: `${AGENT}@${node.name}`,
    units: [AGENT_UNIT],
    sharedWith: [],
});

const isMeant =
    (what: string) =>
    ({ urn, name, id }: { readonly urn: string; readonly name: string; readonly id: string }): boolean =>
        [urn, name, parseResourceId(id)?.life].includes(what);

const sourcesOn = async (node: NamedNode, what: string, connection: Connection): Promise<readonly Source[]> => {
    const all = (await unitsOn(node, what, connection)).filter(({ life, name, urn }) => [life, name, urn].includes(what));
    // By its name is meant what this stack has, as long as it has one; and what lives, as long as something does.
    const own = all.filter(({ life }) => node.resources?.some(({ id }) => parseResourceId(id)?.life === life));
    const named = own.length > 0 && !isLife(what) ? own : all;
    const live = named.filter(({ trashed }) => !trashed);
    return (live.length > 0 ? live : named).map(({ kind, name, life, units }) => ({
        node,
        about: `${kind} "${name}"`,
        name: life,
        units: units.map(({ unit }) => unit),
        sharedWith: [...new Set(units.flatMap(({ sharedWith }) => sharedWith))],
    }));
};

const UNITS = `[ -x ${LAUNCHER} ] || exit ${NO_LAUNCHER_STATUS}; exec ${LAUNCHER} units "$@"`;

/** Asked without the agent: its log is wanted most when it is down. */
const unitsOn = async (node: NamedNode, what: string, connection: Connection): Promise<readonly ResourceUnits[]> => {
    const found: ResourceUnits[] = [];
    const { code, stderr } = await connection.run(rootCommand(connection.target, UNITS, PLAIN.test(what) ? [what] : []), {
        signal: new AbortController().signal,
        timeoutMs: UNITS_MS,
        doing: "looking for its units",
        onStdoutLine: (line) => {
            const units = line.startsWith("{") ? read(line) : undefined;
            if (units) found.push(units);
        },
    });
    if (code === 0) return found;
    const facts = { node: node.name, message: `the units of "${what}" on ${node.name} cannot be told` };
    if (code === NO_LAUNCHER_STATUS)
        throw new ZeroformError({
            ...facts,
            code: "AGENT_GONE",
            message: `${node.name} has no zeroform agent`,
            hint: "Creating its Node installs it.",
        });
    if (code === OLD_AGENT_STATUS)
        throw new ZeroformError({
            ...facts,
            code: "PROTOCOL_MISMATCH",
            hint: "Its agent is older than this zeroform: run pulumi up, which upgrades it.",
        });
    throw new ZeroformError({
        ...facts,
        code: "FAILED",
        message: `${facts.message}: ${stderr.trim().split("\n").at(-1) ?? `status ${code}`}`,
    });
};

/** Undefined for what a talkative login shell says. */
const read = (line: string): ResourceUnits | undefined => {
    try {
        return JSON.parse(line) as ResourceUnits;
    } catch {
        return undefined;
    }
};
