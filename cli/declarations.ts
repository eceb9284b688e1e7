import { partsOf } from "../protocol/urn.ts";
import type { Adopted } from "../provider/lifecycle/adoption.ts";
import { primitiveOf } from "../schema/index.ts";

const INDENT = "    ";

/** What was found as the TypeScript that declares it: each resource under the one that it stands on, secrets left out. */
export const declarations = (adopted: readonly Adopted[]): string =>
    adopted
        .filter(({ references }) => references.node === undefined)
        .flatMap((node) => [...declared(node, adopted, 0)])
        .join("\n");

const declared = (resource: Adopted, all: readonly Adopted[], depth: number): readonly string[] => {
    const { kind, urn, id } = resource;
    const { name } = partsOf(urn);
    const line = `${INDENT.repeat(depth)}const ${variable(name)} = new ${kind}(${JSON.stringify(name)}, { ${argumentsOf(resource).join(", ")} });  // ${id}`;
    const own = all.filter((each) => groundOf(each) === urn);
    return [line, ...own.flatMap((each) => declared(each, all, depth + 1))];
};

/** The nearest thing that it stands on: a mount before the node that the mount is on. */
const groundOf = ({ references }: Adopted): string | undefined =>
    Object.entries(references).find(([input]) => input !== "node")?.[1] ?? references.node;

const argumentsOf = (resource: Adopted): readonly string[] => {
    const ground = Object.entries(resource.references).find(([, urn]) => urn === groundOf(resource));
    const on = ground ? [`${ground[0]}: ${variable(partsOf(ground[1]).name)}`] : [];
    const written = Object.entries(primitiveOf(resource.kind).inputs).flatMap(([field, { visibility, schema, secret }]) => {
        const value = resource.inputs[field];
        if (visibility !== "program" || value === undefined || field === "agentVersion") return [];
        if (secret) return [`${field}: /* secret */`];
        const { success, data } = schema.safeParse(undefined);
        return success && JSON.stringify(data) === JSON.stringify(value) ? [] : [`${field}: ${JSON.stringify(value)}`];
    });
    return [...on, ...written];
};

/** Words that TypeScript has taken and people call things by. */
const TAKEN =
    /^(case|class|const|default|delete|do|else|enum|export|for|function|if|import|in|new|null|package|private|public|return|static|switch|this|true|false|var|void|while|with)$/;

const variable = (name: string): string => {
    const safe = name.replace(/[^A-Za-z0-9_$]+(.?)/g, (_, next: string) => next.toUpperCase());
    return /^[A-Za-z_$]/.test(safe) && !TAKEN.test(safe) ? safe : `_${safe}`;
};
