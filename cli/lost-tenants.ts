import type { Disclosure, Holdings } from "../protocol/api.ts";
import { ZeroformError } from "../protocol/errors.ts";
import { partsOf } from "../protocol/urn.ts";
import { askEach, type NamedNode } from "./nodes.ts";
import { ago } from "./text.ts";

/** A tenant of a stack on a machine. */
export interface Found {
    readonly node: NamedNode;
    readonly holdings: Holdings;
}

export interface Wanted {
    readonly stack?: string | undefined;
    readonly project?: string | undefined;
    readonly tenants?: readonly string[] | undefined;
}

/** The tenants of one stack on these machines, one for each of its Nodes; what cannot be one of them is told to `left`. */
export const lostTenants = async (
    nodes: readonly NamedNode[],
    { stack, project, tenants }: Wanted,
    left: (words: string) => void,
): Promise<readonly Found[]> => {
    const answers = await askEach(nodes, (link) => link.request("tenant.list", {}));
    const all = answers.flatMap(({ node, answer }): readonly Found[] => {
        if (answer instanceof ZeroformError) throw answer.with({ node: node.name });
        return answer.map((holdings) => ({ node, holdings }));
    });
    const fits = ({ holdings }: Found) => {
        const parts = partsOf(holdings.urn);
        return (stack ?? parts.stack) === parts.stack && (project ?? parts.project) === parts.project;
    };
    const named = tenants ? all.filter(({ holdings }) => tenants.includes(holdings.tenant)) : all;
    const unknown = tenants?.find((tenant) => !all.some(({ holdings }) => holdings.tenant === tenant));
    if (unknown !== undefined) throw unfit("TENANT_UNKNOWN", `there is no tenant ${unknown} on ${namesOf(nodes)}`);
    const foreign = tenants ? named.find((each) => !fits(each)) : undefined;
    if (foreign)
        throw unfit("INVALID", `${described(foreign)} belongs to another stack than ${stack ?? "any"} of ${project ?? "any project"}`);
    const found = named.filter((each) => {
        if (!fits(each)) return false;
        const why = whyNot(each.holdings);
        if (why !== undefined) left(`${described(each)} is left alone: ${why}`);
        return why === undefined;
    });
    if (found.length === 0)
        throw unfit("TENANT_UNKNOWN", `nothing of ${stack ?? "any stack"} (${project ?? "any project"}) is on ${namesOf(nodes)}`);
    requireOneStack(found);
    requireOneEach(found);
    return found;
};

const whyNot = ({ confirmed, deleted, active }: Holdings): string | undefined => {
    if (deleted) return "its Node was removed, and only what that left is there";
    if (!confirmed) return "the run that made it crashed before Pulumi knew of it";
    return active ? "a run works with it at this moment" : undefined;
};

const requireOneStack = (found: readonly Found[]): void => {
    const stacks = [
        ...new Set(found.map(({ holdings }) => partsOf(holdings.urn)).map(({ stack, project }) => `--stack ${stack} --project ${project}`)),
    ];
    if (stacks.length > 1) throw unfit("INVALID", "more than one stack is there", `Say which one: ${stacks.join(", or ")}.`);
};

/** Two operators may have given project and stack equal names, and a Node that moved may have left a tenant behind. */
const requireOneEach = (found: readonly Found[]): void => {
    for (const urn of new Set(found.map(({ holdings }) => holdings.urn))) {
        const same = found.filter(({ holdings }) => holdings.urn === urn);
        if (same.length > 1)
            throw unfit(
                "CONFLICT",
                `${same.length} tenants are called Node "${partsOf(urn).name}" of this stack: ${same.map(described).join("; ")}`,
                "Say which are meant with --tenant <id...>, all of the stack's Nodes included.",
            );
    }
};

const described = ({ node, holdings }: Found): string => {
    const { tenant, urn, resources, createdAt, seenAt } = holdings;
    const has = resources.map(({ kind, count }) => `${count} ${kind}`).join(", ") || "no resources";
    return `${tenant} on ${node.name} (Node "${partsOf(urn).name}", made ${ago(createdAt)} ago, last seen ${ago(seenAt ?? createdAt)} ago, ${has})`;
};

/** One engine's state has every resource once. */
export const requireDistinct = ({ lives }: Disclosure): void => {
    const twice = lives
        .filter(({ confirmed }) => confirmed)
        .find((life, _, all) => all.some((each) => each.life !== life.life && each.urn === life.urn));
    if (!twice) return;
    const same = lives.filter(({ urn }) => urn === twice.urn).map(({ life, createdAt }) => `${life} (made ${ago(createdAt)} ago)`);
    throw new ZeroformError({
        code: "CONFLICT",
        kind: twice.kind,
        name: twice.name,
        message: `it is there more than once, since a run ended between making the new one and removing the old one: ${same.join(" and ")}`,
        hint: "Take the one that is not wanted away with `zeroform remove <life> --host <host>`, its data to the trash, and adopt again.",
    });
};

const namesOf = (nodes: readonly NamedNode[]): string => nodes.map(({ name }) => name).join(", ");

const unfit = (code: "TENANT_UNKNOWN" | "INVALID" | "CONFLICT", message: string, hint = "`zeroform tenants <host>` shows who is there.") =>
    new ZeroformError({ code, message, hint });
